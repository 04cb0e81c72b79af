package guide

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// phrase is one thing the guide says, in each of its languages. The verbs are
// fmt's, in the same order in all of them.
type phrase struct{ en, zhTW string }

func (p phrase) in(language string) string {
	if language == "zh-TW" {
		return p.zhTW
	}
	return p.en
}

// Say returns a phrase in the guide's language; a name that is not in the table
// is a mistake of the caller's.
func (g *Guide) Say(name string, args ...any) string {
	return Phrase(g.options.Language, name, args...)
}

// Phrase is Say where there is no guide yet.
func Phrase(language, name string, args ...any) string {
	p, ok := phrases[name]
	if !ok {
		panic("guide: no phrase is called " + name)
	}
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = arg + seam
		case error:
			args[i] = arg.Error() + seam
		}
	}
	return joined(fmt.Sprintf(p.in(language), args...))
}

// seam is where a text that a phrase was given ends in it. Such a text may be a whole
// sentence, with its own mark at its end.
const seam = "\x00"

// sentenceEnds are the marks that end a sentence, or stand after it.
const sentenceEnds = ".?!…。？！"

var glued = regexp.MustCompile("([" + sentenceEnds + "]['\"»」`)]?)" + seam + "[.。]")

// joined takes the seams out, and the phrase's own mark where a text has brought one.
func joined(text string) string {
	return strings.ReplaceAll(glued.ReplaceAllString(text, "$1"), seam, "")
}

// sentences puts texts behind each other, with a mark after each that ends in none.
func (g *Guide) sentences(texts ...string) string {
	whole := ""
	for _, text := range texts {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(whole, "'\"»」`)"))
		switch {
		case whole == "":
		case strings.ContainsRune(sentenceEnds, last):
			whole += " "
		default:
			whole += phrase{". ", "。"}.in(g.options.Language)
		}
		whole += text
	}
	return whole
}

// phrases are all that the guide says. Those whose names begin with «fail » are
// for what can go wrong: each says what happened and what to do.
var phrases = map[string]phrase{
	// The frame.
	"welcome one":       {"labrun will lead you through one step. You type at the machines' consoles; labrun watches and goes on by itself.", "labrun 會帶你走完 1 個步驟。你在各台機器的主控台上打字，labrun 在旁邊看著，做對了就自動往下走。"},
	"welcome":           {"labrun will lead you through %d steps. You type at the machines' consoles; labrun watches and goes on by itself.", "labrun 會帶你走完 %d 個步驟。你在各台機器的主控台上打字，labrun 在旁邊看著，做對了就自動往下走。"},
	"minutes":           {"It takes about %d minutes. You can stop at any time and go on later.", "大約需要 %d 分鐘。你隨時可以離開，之後再接著做。"},
	"words":             {"Here you can say: hint, do, skip, text, help. Type the word and press Enter.", "在這裡你可以輸入：hint（提示）、do（幫我做）、skip（跳過）、text（再看一次說明）、help（求助），再按 Enter。"},
	"step":              {"Step %d of %d: %s", "第 %d 步，共 %d 步：%s"},
	"step done":         {"Step %d is done.", "第 %d 步完成。"},
	"step skipped":      {"Step %d is done, by labrun for you.", "第 %d 步由 labrun 代你完成。"},
	"step left":         {"Step %d is left undone.", "第 %d 步沒有完成，先放著。"},
	"complete one":      {"Mission complete: its one step is done.", "任務完成：這 1 個步驟做完了。"},
	"complete":          {"Mission complete: all %d steps are done.", "任務完成：%d 個步驟全部做完了。"},
	"complete some":     {"You have reached the end. %d of %d steps are done.", "你已經走到最後。%d / %d 個步驟完成。"},
	"complete help one": {"labrun did some of it for you (step %s). `labrun --guide %s` begins anew, if you want to try that yourself.", "其中有些是 labrun 代你做的（第 %s 步）。想自己試一次，執行 `labrun --guide %s` 會從頭開始。"},
	"complete help":     {"labrun did some of it for you (steps %s). `labrun --guide %s` begins anew, if you want to try those yourself.", "其中有些是 labrun 代你做的（第 %s 步）。想自己試一次，執行 `labrun --guide %s` 會從頭開始。"},
	"stay":              {"The machines stay on (%s), so look around as long as you like: `console NAME` here, or `labrun attach NAME` in another terminal. Say quit when you are done; then they are gone.", "機器都還開著（%s），想再看看就看：在這裡輸入 `console 名稱`，或在另一個終端機輸入 `labrun attach 名稱`。看完了輸入 quit，機器就會關掉。"},
	"kept":              {"Your progress is kept: `labrun --guide %s` goes on at step %d.", "你的進度已保存：執行 `labrun --guide %s` 會從第 %d 步繼續。"},
	"resume":            {"Welcome back. You were at step %d of %d. labrun first brings the machines to where that step begins; then it is your turn again.", "歡迎回來。你上次做到第 %d 步（共 %d 步）。labrun 會先讓機器回到這一步開始時的樣子，然後就換你。"},
	"resume fresh":      {"To begin at the first step instead, quit and say `labrun --guide --restart %s`.", "想從第一步重新開始，請先離開，再執行 `labrun --guide --restart %s`。"},
	"replaying":         {"Step %d: %s … labrun is doing it", "第 %d 步：%s … labrun 正在重做"},
	"replayed":          {"Step %d is there again (%.0f s).", "第 %d 步已恢復（%.0f 秒）。"},
	"finished once":     {"You have finished this mission before, on %s. It begins anew.", "你在 %s 已經完成過這個任務。現在從頭開始。"},
	"damaged":           {"What labrun had kept of your progress cannot be read, so the mission begins at its first step. The damaged file is still there: %s", "先前保存的進度讀不出來，所以任務從第一步開始。損壞的檔案還在：%s"},
	"changed":           {"The mission was changed since you were here: the step you were at is gone, so it begins anew.", "任務在你離開之後改過了：你上次的步驟已經不在，所以從頭開始。"},

	// Instructions.
	"do boot":            {"Switch on %s:", "啟動 %s："},
	"do boot how":        {"open a new terminal (in VS Code: the + of the terminal panel), type\n    labrun attach %s\nand press Enter there once more. (Or say do here.)", "開一個新的終端機（VS Code 終端機面板上的 +），輸入\n    labrun attach %s\n然後在那裡再按一次 Enter。（或者在這裡輸入 do。）"},
	"do boot tmux":       {"go to the pane of %s (Ctrl-b and an arrow key) and press Enter there. (Or say do here.)", "切到 %s 的窗格（Ctrl-b 加方向鍵），在那裡按 Enter。（或者在這裡輸入 do。）"},
	"do send":            {"On %s, type:", "在 %s 上輸入："},
	"do send keys":       {"On %s, type, without Enter:", "在 %s 上輸入（不按 Enter）："},
	"do send secret":     {"On %s, type the password (it does not show): %s", "在 %s 上輸入密碼（畫面上不會顯示）：%s"},
	"do key":             {"On %s, press %s.", "在 %s 上按 %s。"},
	"do login":           {"On %s, log in: user %s, password %s (it does not show while you type).", "登入 %s：使用者 %s，密碼 %s（輸入時畫面上不會顯示）。"},
	"do login other":     {"On %s, %s is logged in. Type exit there, then log in: user %s, password %s (it does not show while you type).", "%s 上現在登入的是 %s。先在那裡輸入 exit，再登入：使用者 %s，密碼 %s（輸入時畫面上不會顯示）。"},
	"do login self":      {"On %s, log in.", "登入 %s。"},
	"do prompt":          {"Wait for the prompt of %s. When its messages stop, press Enter there.", "等 %s 的提示字元出現。訊息停下來之後，在那裡按 Enter。"},
	"do wait":            {"Now %s has to answer. Watch its console.", "現在等 %s 回應，看看它的主控台。"},
	"do task":            {"Your task on %s:", "在 %s 上的任務："},
	"do ask":             {"Question: %s", "問題：%s"},
	"do choose":          {"Answer with a number.", "請用數字回答。"},
	"do open":            {"Write your answer in one line. (Only Enter: go on without one.)", "請用一行寫下你的答案。（直接按 Enter 就略過。）"},
	"no console":         {"(No console of %s is open. In a new terminal, `labrun attach %s` opens one; so does `console %s` here.)", "（%s 的主控台還沒有打開。在新的終端機輸入 `labrun attach %s`，或在這裡輸入 `console %s`。）"},
	"runs":               {"%s is on.", "%s 已啟動。"},
	"right":              {"Right.", "答對了。"},
	"wrong":              {"Not that one. Think again; `hint` helps.", "不是這個。再想想看，輸入 hint 可以得到提示。"},
	"no such choice":     {"Please answer with a number from 1 to %d.", "請輸入 1 到 %d 的數字。"},
	"noted":              {"Noted.", "記下來了。"},
	"one answer":         {"One answer: %s", "參考答案：%s"},
	"the answer":         {"The answer: %s", "答案：%s"},
	"still":              {"Still waiting. `text` shows again what this is about, `hint` helps, `do` does it for you.", "還在等。輸入 text 再看一次說明，hint 給提示，do 由 labrun 代做。"},
	"still running":      {"Something still runs on %s (`%s`). Ctrl-C there ends it.", "%s 上還有東西在跑（`%s`）。在那裡按 Ctrl-C 可以結束它。"},
	"not yet":            {"Not yet: %s", "還沒好：%s"},
	"not yet hint":       {"`hint` helps.", "輸入 hint 可以得到提示。"},
	"lacks":              {"the output of %s has no %s.", "%s 的輸出裡沒有 %s。"},
	"no match":           {"%s did not print what this step looks for.", "%s 沒有印出這一步要找的內容。"},
	"no answer":          {"after `%s`, %s did not answer as expected.", "輸入 `%s` 之後，%s 沒有照預期回應。"},
	"goal":               {"what labrun checked is not as it should be.", "labrun 檢查的結果還不對。"},
	"same":               {"the reason is the same as before.", "原因和剛才一樣。"},
	"other user":         {"%s is logged in at %s: type exit there, then log in as %s.", "現在登入的是 %s（%s）：先輸入 exit，再以 %s 登入。"},
	"refused":            {"%s refused that login.", "%s 拒絕了這次登入。"},
	"otherwise":          {"You typed `%s`; the lab says `%s`. If yours does the same, say ok here; else type it again.", "你輸入的是 `%s`，課程要的是 `%s`。如果效果一樣，在這裡輸入 ok；不然請再輸入一次。"},
	"otherwise password": {"That was another password than the lab says. If it worked, say ok here; else type it again.", "這和課程給的密碼不同。如果成功了，在這裡輸入 ok；不然請再輸入一次。"},

	// Hints.
	"hint":             {"Hint %d of %d: %s", "提示 %d / %d：%s"},
	"no hint":          {"There is no hint for this. `text` shows again what it is about; `do` does it for you.", "這裡沒有提示。輸入 text 再看一次說明，或輸入 do 由 labrun 代做。"},
	"last hint":        {"That was the last hint. `do` does it for you.", "這是最後一個提示了。輸入 do 由 labrun 代做。"},
	"hint text":        {"read the text once more (`text` shows it) and look for what to type.", "再讀一次說明（輸入 text），找找看該輸入什麼。"},
	"hint send":        {"go to the console of %s (`labrun attach %s` in a new terminal), type exactly %s and press Enter.", "到 %s 的主控台（在新的終端機輸入 `labrun attach %s`），一字不差地輸入 %s，再按 Enter。"},
	"hint key":         {"go to the console of %s and press %s: hold the first key, press the second.", "到 %s 的主控台按 %s：按住前一個鍵，再按後一個鍵。"},
	"hint prompt":      {"go to the console of %s (`labrun attach %s` in a new terminal) and press Enter once. A prompt ends in # or $.", "到 %s 的主控台（在新的終端機輸入 `labrun attach %s`），按一次 Enter。提示字元的結尾是 # 或 $。"},
	"hint login":       {"at «login:» type %s and Enter; at «Password:» type %s and Enter.", "看到「login:」輸入 %s 再按 Enter；看到「Password:」輸入 %s 再按 Enter。"},
	"hint boot":        {"in a new terminal type `labrun attach %s`, then press Enter there.", "在新的終端機輸入 `labrun attach %s`，然後在那裡按 Enter。"},
	"hint not":         {"it is not «%s».", "不是「%s」。"},
	"hint answer":      {"it is «%s».", "是「%s」。"},
	"hint solution":    {"on %s, type:", "在 %s 上輸入："},
	"hint wait":        {"the console of %s shows what it waits for. `do` has labrun wait and type for you.", "%s 的主控台會顯示它在等什麼。輸入 do 就由 labrun 代做。"},
	"doing":            {"labrun does it for you …", "labrun 代你做 …"},
	"skipping":         {"labrun does the rest of this step for you …", "這一步剩下的由 labrun 代你做 …"},
	"returned":         {"The machines are as they were when this step began (%.1f s).", "機器已經回到這一步開始時的樣子（%.1f 秒）。"},
	"redoing restored": {"The step begins again, with the machines as they were when it began.", "這一步重新開始，機器也回到這一步開始時的樣子。"},
	"redoing":          {"The step begins again. The machines stay as they are.", "這一步重新開始。機器維持現在的樣子。"},
	"cannot do":        {"There is nothing that labrun could do for you here.", "這裡沒有 labrun 可以代做的事。"},
	"restarting":       {"%s is switched off and on again.", "%s 正在重新啟動。"},
	"restart what":     {"restart which machine? %s", "要重新啟動哪一台機器？%s"},

	// Words.
	"help": {`Words (the first letter is enough where it stands in front):
  hint         h   a hint; each further one tells more
  do           d   labrun does for you what is asked now
  skip         s   labrun does the rest of this step for you
  text         t   show this step's text again
  check        c   look again whether it is done
  redo             begin this step again
  steps            all steps, and where you are
  console NAME     sit at a machine's console in this terminal
  restart NAME     switch a machine off and on again
  quit         q   stop here; your progress is kept
Only Enter shows again what to do now.`,
		`可以說的話（前面有字母的，只輸入字母也行）：
  hint         h   給提示；再輸入一次，提示更多
  do           d   labrun 代你做現在要做的事
  skip         s   labrun 代你做完這一步
  text         t   再顯示一次這一步的說明
  check        c   再檢查一次做好了沒有
  redo             這一步重新開始
  steps            所有步驟，以及你在哪裡
  console 名稱     在這個終端機使用某台機器的主控台
  restart 名稱     把某台機器關掉再打開
  quit         q   先到這裡；進度會保存
直接按 Enter，會再顯示現在要做什麼。`},
	"unknown word":      {"I do not know «%s». Commands for a machine are typed at its console (`labrun attach NAME`); `help` shows what can be said here.", "我不認識「%s」。給機器的指令要在它的主控台上輸入（`labrun attach 名稱`）；輸入 help 看看這裡可以說什麼。"},
	"unknown machine":   {"There is no machine called %s. There are: %s.", "沒有叫做 %s 的機器。有的是：%s。"},
	"console what":      {"The console of which machine? Say for instance: console %s", "要用哪台機器的主控台？例如：console %s"},
	"console pipe":      {"A console needs a terminal, and this is none. In a terminal, `labrun attach %s` opens it.", "主控台需要終端機，而這裡不是。請在終端機輸入 `labrun attach %s`。"},
	"console back":      {"Back at the guide.", "回到導覽。"},
	"console note":      {"done: Ctrl-] goes back to the guide for what comes next", "完成了：按 Ctrl-] 回到導覽，看下一步"},
	"state done":        {"done", "完成"},
	"state skipped":     {"done by labrun", "由 labrun 代做"},
	"state left":        {"left undone", "未完成"},
	"state here":        {"you are here", "你在這裡"},
	"state ahead":       {"to come", "還沒到"},
	"next hint":         {"`check` tries again, `next` leaves this step and goes on, `quit` stops here.", "輸入 check 再試一次，next 放下這一步繼續往下，quit 先離開。"},
	"terminal lost":     {"The terminal was closed.", "終端機關掉了。"},
	"nothing to say ok": {"There is nothing to say ok to.", "現在沒有需要確認的事。"},

	// What can go wrong, and what to do.
	"fail powered off": {"%s is off: it was shut down. `restart %s` switches it on again; then go on where you were.", "%s 關機了。輸入 `restart %s` 再把它打開，然後接著做。"},
	"fail panicked":    {"The kernel of %s has crashed (a «panic»). Nothing on your computer is harmed. `restart %s` starts it again.", "%s 的核心當掉了（叫做 panic）。你的電腦不會有事。輸入 `restart %s` 重新啟動它。"},
	"fail emulator":    {"The program that plays %s has ended: %s. `restart %s` starts it again; if that happens again, ask your instructor.", "扮演 %s 的程式結束了：%s。輸入 `restart %s` 重新啟動它；如果又發生，請詢問老師。"},
	"fail timeout":     {"Something took too long: %s. `restart NAME` helps if a machine hangs.", "有件事花了太久：%s。如果機器卡住了，試試 `restart 名稱`。"},
	"fail not on":      {"%s is not on. `restart %s` switches it on.", "%s 沒有開機。輸入 `restart %s` 把它打開。"},
	"fail login":       {"%s refuses the user and password that the lab knows. If you changed the password, change it back, or `restart %s` and `redo`.", "%s 不接受課程設定的使用者和密碼。如果你改過密碼，請改回來，或者輸入 `restart %s` 再輸入 redo。"},
	"fail environment": {"This computer cannot do that now: %s. That has to be mended first; `labrun doctor` in another terminal tells more.", "這台電腦現在做不到：%s。這要先處理好；在另一個終端機執行 `labrun doctor` 可以知道更多。"},
	"fail script":      {"The mission itself has a mistake, which is not your fault: %s. Please tell your instructor.", "任務本身有錯，不是你的問題：%s。請告訴老師。"},
	"fail by labrun":   {"labrun tried to do it for you and did not succeed: %s. `redo` begins the step again, `restart NAME` starts a machine anew.", "labrun 試著代你做，但沒有成功：%s。輸入 redo 重做這一步，或用 `restart 名稱` 重新啟動機器。"},
	"fail replay":      {"labrun could not play step %d again by itself: %s. `check` tries again; or quit and say `labrun --guide --restart %s` to begin at the first step.", "labrun 沒能自動重做第 %d 步：%s。輸入 check 再試一次；或者離開後執行 `labrun --guide --restart %s` 從頭開始。"},
	"fail restart":     {"%s could not be started again: %s. `restart %s` tries once more.", "%s 無法重新啟動：%s。輸入 `restart %s` 再試一次。"},
	"fail console":     {"The console could not be opened: %s. Try `labrun attach %s` in a new terminal.", "主控台打不開：%s。請在新的終端機試試 `labrun attach %s`。"},
	"fail progress":    {"Your progress could not be saved: %s. The lab goes on; free some disk space so that it can be kept.", "無法保存進度：%s。課程會繼續；請清出一些磁碟空間，讓進度可以保存。"},
	"fail second":      {"This mission is being guided already, in another terminal (process %d). Go on there, or `labrun stop` it first.", "這個任務已經在另一個終端機進行中（行程 %d）。請到那裡繼續，或先用 `labrun stop` 結束它。"},
}

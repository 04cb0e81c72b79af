package attach

import "fmt"

// phrases are the notes to a viewer, in English and in the Chinese of Taiwan.
var phrases = map[string][2]string{
	"welcome":   {"this is the console of %s. Ctrl-] leaves it; the machine goes on", "這是 %s 的主控台。按 Ctrl-] 離開，機器會繼續跑"},
	"watching":  {"this is the console of %s. labrun types here itself, you can only watch. Ctrl-] leaves it", "這是 %s 的主控台。這裡由 labrun 自己打字，你只能看。按 Ctrl-] 離開"},
	"look only": {"labrun types here itself; your keys are not passed on", "這裡由 labrun 自己打字，你按的鍵不會送進去"},
	"left":      {"you have left %s, which goes on; `labrun attach %s` comes back", "你離開了 %s，它會繼續跑；輸入 `labrun attach %s` 就能回來"},
	"silent":    {"all is typed and %s is silent, so it is left, and goes on; in a terminal, `labrun attach %s` stays", "輸入的都送出去了，%s 也沒有新的訊息，所以離開它，它會繼續跑；在終端機裡，`labrun attach %s` 會留著"},
	"over":      {"the lab has ended", "實驗結束了"},
	"over stay": {"the lab has ended, and its machines are gone. What you type goes nowhere. Ctrl-] brings you back to your own computer", "實驗結束了，機器都關掉了。你輸入的東西不會送到任何地方。按 Ctrl-] 回到你自己的電腦"},
	"off":       {"%s is off. Enter switches it on", "%s 還沒開機。按 Enter 開機"},
	"went off":  {"%s was switched off. Enter switches it on again", "%s 關機了。按 Enter 再打開"},
	"on":        {"%s is on; it boots now", "%s 開機了，正在啟動"},
	"anew":      {"%s was started anew; this is its console from here on", "%s 重新啟動了；接下來是它的主控台"},
	"not yet":   {"it is not time for %s yet; the guide says when", "還沒輪到 %s；時候到了導覽會告訴你"},
	"no power":  {"%s could not be switched on: %s", "%s 無法開機：%s"},
	"missed":    {"%d bytes were printed too fast to be shown", "有 %d 個位元組印得太快，沒有顯示"},
}

func phrase(language, name string, args ...any) string {
	p := phrases[name]
	if language == "zh-TW" {
		return fmt.Sprintf(p[1], args...)
	}
	return fmt.Sprintf(p[0], args...)
}

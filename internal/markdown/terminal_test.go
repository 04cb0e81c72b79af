package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/rivo/uniseg"
)

func TestTerminal(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "\n\n", ""},
		{"paragraphs", "One\ntwo.\n\n\nThree.\n", "One two.\n\nThree."},
		{"a hard break", "One  \ntwo\\\nthree", "One\ntwo\nthree"},
		{"a heading", "# A *fine* title\ntext", "# A *fine* title\n\ntext"},
		{"emphasis", "an *emphasis*, a **strong** one, *one **in** another*, ***both***", "an *emphasis*, a **strong** one, *one\n**in** another*, ***both***"},
		{"emphasis in itself", "*a *b* c*, **a **b** c**", "*a b c*, **a b c**"},
		{"code", "`ip a`, `` a`b ``, `a\nb`, `&copy=2`, `a\\*b`", "`ip a`, `a`b`, `a b`, `&copy=2`, `a\\*b`"},
		{"escapes", `\*no\* &lt;b&gt; \&amp; &copy=2 a\\b`, `*no* <b> &amp; &copy=2 a\b`},
		{"HTML", "ssh root@<ADDRESS> <!-- mine -->now<br>\n\n<!--\nhidden\n-->\n\n<div>\n*no*\n</div>", "ssh root@<ADDRESS> now<br>\n\n<div>\n*no*\n</div>"},
		{"links", "[QEMU](https://q.org/a_b?x=1&amp;y), <https://auto.org>, [https://same.org](https://same.org)",
			"QEMU (https://q.org/a_b?x=1&y),\nhttps://auto.org, https://same.org"},
		{"an image", "![a bird](bird.png)", "a bird (bird.png)"},
		{"code blocks", "Type:\n\n    ip a\n    \n    ls\n\n```sh\necho\t$x\n```\nDone.", "Type:\n\n    ip a\n\n    ls\n\n    echo    $x\n\nDone."},
		{"long code is cut", "    12345678901234567890123456789012345678901234567890", "    123456789012345678901234567890123456\n    78901234567890"},
		{"a tight list", "- one\n  two\n- three\n  - nested\n\nend", "- one two\n- three\n  - nested\n\nend"},
		{"a loose list", "9. one\n\n   more\n\n       code\n10. two\n    > quoted\n    > text", "9. one\n\n   more\n\n       code\n\n10. two\n\n    > quoted text"},
		{"items keep their indent", "- one two three four five six seven eight nine\n  1) one two three four five six seven eight", "- one two three four five six seven\n  eight nine\n  1) one two three four five six seven\n     eight"},
		{"empty items", "-\n- x\n- - 1.\n-", "-\n- x\n- - 1.\n-"},
		{"a quotation", "a\n> b\n>\n> c\n> > d\n\ne", "a\n\n> b\n>\n> c\n>\n> > d\n\ne"},
		{"a rule", "a\n\n***\n\nb", "a\n\n---\n\nb"},
		{"lines of Chinese are joined", "是菜鳥，\n*Niko* 也\n**是**一\n`ip` 中\nBSD", "是菜鳥，*Niko* 也**是**一 `ip` 中 BSD"},
		{"control characters", "a\x1b[31mb\x07 &#27;[0m\u009b1m\u202ec &#x202e; `\x1b`", "a[31mb [0m1mc  ``"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Terminal(test.text, 40, false); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// Emphasis that CommonMark would not see, because Chinese has no spaces.
func TestEmphasisInChinese(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"**注意：**請看", "[注意：]請看"},
		{"他是**菜鳥（bird）**嗎", "他是[菜鳥（bird）]嗎"},
		{"他說**「你好」**，然後", "他說[「你好」]，然後"},
		{"這是**`ip a`**指令", "這是[`ip a`]指令"},
		{"用**Linux。**Windows", "用[Linux。]Windows"},
		{"**一**、**二**和**三**", "[一]、[二]和[三]"},
		{"全形＊不是＊ 2 * 3 * 4", "全形＊不是＊ 2 * 3 * 4"},
		{"a** 不 **b", "a** 不 **b"},
		{"snake_case_名稱_x", "snake_case_名稱_x"},
		{"**English:**text", "**English:**text"}, // as CommonMark has it
	} {
		got := strings.NewReplacer("\x1b[36m", "", "\x1b[1m", "[", "\x1b[0m", "]").Replace(Terminal(test.text, 80, true))
		if got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestTerminalInColor(t *testing.T) {
	const text = "# Title\n\nan *emphasis*, a **strong `one`**\n\n    code"
	const want = "\x1b[1mTitle\x1b[0m\n\nan \x1b[4memphasis\x1b[0m, a \x1b[1mstrong \x1b[0m\x1b[1m\x1b[36m`one`\x1b[0m\n\n    \x1b[36mcode\x1b[0m"
	if got := Terminal(text, 80, true); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// A style ends with its line and is taken up again in the next.
	if got, want := Terminal("**one two three four five**", 20, true), "\x1b[1mone two three four\x1b[0m\n\x1b[1mfive\x1b[0m"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

const chinese = `這是 Niko 在 Datadog 的第一週，那是一家替別人照顧雲端的公司。他是一隻*菜鳥*（台灣人這樣稱呼初學者），
而且有點緊張：很快他就要碰**真正客戶**所依賴的機器了。所以他的老闆 Nini 先給他一個小小的雲，裡面的任何東西都弄不壞外面的世界。

**Nini：** 「你現在坐在一個*容器*裡。在它裡面，一個叫 QEMU 的程式會假裝成三台完整的電腦……也就是*虛擬機*，簡稱 VM。泡泡裡的泡泡！」

1. 在 **alpine** 上輸入 ` + "`ssh root@10.254.0.203`" + `，然後回答『yes』；密碼是 root——是的，這是個很糟的密碼。
   - 看看 ` + "`/perm/dhcp4d/leases.json`" + `：` + "`52:55:00:aa:00:10`" + ` 是 Debian 的網路卡，https://www.qemu-advent-calendar.org/2023/?a=1&b=2#a-very-long-address 是網址。
   - ｢全形｣ＡＢＣ、日本語のテキスト、한국어 문장도 있습니다、e\u0301、👩‍👩‍👧‍👦、🇹🇼。

> 航空公司賣出的座位比飛機上的還多，因為總有人錯過班機；雲端承諾的 CPU 也比實際的多。
`

var (
	escapes  = regexp.MustCompile(`\x1b\[[0-9]+m`)
	noStart  = regexp.MustCompile(`^[ >]*[，。、；：！？」』）…,;!?)]`)
	noEnd    = regexp.MustCompile(`[「『（(]$`)
	typeable = []string{"root@10.254.0.203`", "`/perm/dhcp4d/leases.json`", "`52:55:00:aa:00:10`"}
)

// check says what is wrong with wrapped lines.
func check(out string, width int) error {
	for line := range strings.SplitSeq(out, "\n") {
		plain := escapes.ReplaceAllString(line, "")
		if got := uniseg.StringWidth(plain); got > width {
			return fmt.Errorf("a line of width %d is %d wide: %q", width, got, line)
		}
		for _, r := range plain {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				return fmt.Errorf("control character %U in %q", r, line)
			}
		}
		if plain != line && !strings.HasSuffix(line, "\x1b[0m") && strings.LastIndex(line, "\x1b[0m") < strings.LastIndex(line, "\x1b") {
			return fmt.Errorf("a style leaves its line: %q", line)
		}
	}
	return nil
}

// ink is what is left of text without spaces and marks.
func ink(text string) string {
	text = escapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("*>", r) {
			return -1
		}
		return r
	}, text)
}

func TestChineseAtEveryWidth(t *testing.T) {
	for width := narrowest; width <= 80; width++ {
		for _, color := range []bool{false, true} {
			out := Terminal(chinese, width, color)
			if err := check(out, width); err != nil {
				t.Fatal(err)
			}
			if got, want := ink(out), ink(chinese); got != want {
				t.Fatalf("width %d: characters were lost or added:\n%s\nwant\n%s", width, got, want)
			}
			for line := range strings.SplitSeq(escapes.ReplaceAllString(out, ""), "\n") {
				if noStart.MatchString(line) || noEnd.MatchString(line) {
					t.Errorf("width %d: punctuation at the wrong end of %q", width, line)
				}
			}
			for _, text := range typeable {
				if width >= 40 && !strings.Contains(escapes.ReplaceAllString(out, ""), text) {
					t.Errorf("width %d: %s is torn:\n%s", width, text, out)
				}
			}
		}
	}
}

func TestDeepNesting(t *testing.T) {
	text := ""
	for depth := range 30 {
		text += strings.Repeat("  ", depth) + "- level\n"
	}
	text += "\n" + strings.Repeat("> ", 30) + "123456789) deep **__*_`x`_*__**\n"
	for _, width := range []int{0, 20, 40} {
		out := Terminal(text, width, false)
		if err := check(out, max(width, narrowest)); err != nil {
			t.Error(err)
		}
		if got := strings.Count(out, "level"); got != 30 {
			t.Errorf("width %d: %d levels of 30:\n%s", width, got, out)
		}
	}
}

func FuzzTerminal(f *testing.F) {
	f.Add(chinese, 20)
	f.Add("- - - 1. x\n  > `a`\n\n\tcode\n***a*__b__**\n<a\nb>&#10;&#27;&Tab;&NewLine;", 33)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width %= 200
		for _, color := range []bool{false, true} {
			if err := check(Terminal(text, width, color), max(width, narrowest)); err != nil {
				t.Errorf("%v in %q", err, text)
			}
		}
	})
}

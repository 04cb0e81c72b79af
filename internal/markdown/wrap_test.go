package markdown

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"short", "one\n\n  two\n", "one\n\n  two\n"},
		{"at spaces", "one two three four five", "one two three four\nfive"},
		{"exactly full", "one two three four 5", "one two three four 5"},
		{"full, then a space", "one two three four 5  six", "one two three four 5\nsix"},
		{"the indent is kept", "   one two three four five", "   one two three\n   four five"},
		{"a long word moves down", "one https://example.org/x", "one\nhttps://example.org/\nx"},
		{"options and paths stay whole", "type `ls --all /etc/passwd`", "type `ls --all\n/etc/passwd`"},
		{"Chinese", "他是一隻菜鳥也就是初學者的意思", "他是一隻菜鳥也就是初\n學者的意思"},
		{"nothing may begin with a comma", "他是一隻菜鳥也就是初，學者", "他是一隻菜鳥也就是\n初，學者"},
		{"nothing may begin with a comma after a space", "他是一隻菜鳥也就是初 ，學者", "他是一隻菜鳥也就是\n初 ，學者"},
		{"nothing may end with a bracket", "他是一隻菜鳥也就是「初學者」", "他是一隻菜鳥也就是\n「初學者」"},
		{"marks that cannot be parted", strings.Repeat("！", 15), strings.Repeat("！", 10) + "\n" + strings.Repeat("！", 5)},
		{"both scripts", "在 alpine 上輸入ssh然後按Enter鍵", "在 alpine 上輸入ssh\n然後按Enter鍵"},
		{"control characters", "a\x1b[2Jb\r\nc\td\xff", "a[2Jb\nc   d\ufffd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Wrap(test.text, 20); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
			if got := Wrap(test.text, 1); got != test.want {
				t.Errorf("a width below 20: got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func FuzzWrap(f *testing.F) {
	f.Add(chinese, 20)
	f.Add("a\t\u200b\u00a0b \u0301\u2028👩\u200d👧 ，", 23)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width %= 200
		out := Wrap(text, width)
		if err := check(out, max(width, narrowest)); err != nil {
			t.Errorf("%v in %q", err, text)
		}
		if got, want := ink(out), ink(Clean(text)); got != want {
			t.Errorf("characters were lost or added:\n%q\nwant\n%q", got, want)
		}
	})
}

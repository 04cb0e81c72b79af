package markdown

import (
	"strings"
	"testing"
)

func TestHTML(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"headings", "# One\n#### Four", "<h3>One</h3>\n<h6>Four</h6>\n"},
		{"a paragraph", "a **b** `c<d`", "<p>a <strong>b</strong> <code>c&lt;d</code></p>\n"},
		{"lines", "他是\n菜鳥\n**Niko**\nnew", "<p>他是菜鳥\n<strong>Niko</strong>\nnew</p>\n"},
		{"inline HTML", "root@<ADDRESS> <script>x</script> <!-- c -->", "<p>root@&lt;ADDRESS&gt; &lt;script&gt;x&lt;/script&gt; </p>\n"},
		{"a block of HTML", "<script>\nalert(1)\n</script>\n\n<!--\nc\n-->", "<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;\n</p>\n"},
		{"a link", "[a](https://b.org/?c&d \"t\")", "<p><a href=\"https://b.org/?c&amp;d\" title=\"t\">a</a></p>\n"},
		{"a link to a script", "[a](javascript:alert(1)) ![b](&#106;avascript:alert(1))", "<p><a href=\"\">a</a> <a href=\"\">b</a></p>\n"},
		{"an image", "![a *b*](\"onerror=x.png)", "<p><a href=\"%22onerror=x.png\">a <em>b</em></a></p>\n"},
		{"control characters", "a\x1b[31m &#27;b", "<p>a[31m b</p>\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := HTML(test.text); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// What the text has of HTML is never passed on.
func FuzzHTML(f *testing.F) {
	f.Add(chinese)
	f.Add("<script>\n&lt;script> [a](java\nscript:x) ![](x) <style>")
	f.Fuzz(func(t *testing.T, text string) {
		out := strings.ToLower(HTML(text))
		for _, tag := range []string{"<script", "<style", "<img", "<iframe", "<!--", "<div", "href=\"javascript:", "\x1b"} {
			if strings.Contains(out, tag) {
				t.Errorf("%q gives %s in %q", text, tag, out)
			}
		}
	})
}

package markdown

import (
	"bytes"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	goldmark "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// HTML renders CommonMark as HTML that is safe to put into a page: what HTML the
// text has is shown as text, a link leads to no script, and an image is a link to
// it, so that nothing is loaded. Headings begin at the third level, below those
// of the page.
func HTML(text string) string {
	document, source := parse(text)
	var b bytes.Buffer
	r := renderer.NewRenderer(renderer.WithNodeRenderers(
		util.Prioritized(safeRenderer{}, 1), util.Prioritized(goldmark.NewRenderer(), 2)))
	if err := r.Render(&b, source, document); err != nil { // it has no other than those of its writer
		return "<pre>" + html.EscapeString(Clean(text)) + "</pre>"
	}
	return Clean(b.String())
}

// safeRenderer renders what is not passed on as it is.
type safeRenderer struct{}

func (safeRenderer) RegisterFuncs(to renderer.NodeRendererFuncRegisterer) {
	to.Register(ast.KindHTMLBlock,
		func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
			if n := node.(*ast.HTMLBlock); entering && n.HTMLBlockType != ast.HTMLBlockType2 {
				w.WriteString("<p>")
				for _, line := range htmlLines(n) {
					w.WriteString(html.EscapeString(string(line.Value(source))))
				}
				w.WriteString("</p>\n")
			}
			return ast.WalkContinue, nil
		})
	to.Register(ast.KindRawHTML,
		func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
			if tag := string(node.(*ast.RawHTML).Segments.Value(source)); entering && !strings.HasPrefix(tag, "<!--") {
				w.WriteString(html.EscapeString(tag))
			}
			return ast.WalkSkipChildren, nil
		})
	to.Register(ast.KindImage, func(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		address := util.URLEscape(node.(*ast.Image).Destination, true)
		if goldmark.IsDangerousURL(address) {
			address = nil
		}
		if entering {
			w.WriteString(`<a href="` + html.EscapeString(string(address)) + `">`)
		} else {
			w.WriteString("</a>")
		}
		return ast.WalkContinue, nil
	})
	to.Register(ast.KindHeading,
		func(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
			tag := "h" + string('0'+rune(min(node.(*ast.Heading).Level+2, 6))) + ">"
			if entering {
				w.WriteString("<" + tag)
			} else {
				w.WriteString("</" + tag + "\n")
			}
			return ast.WalkContinue, nil
		})
}

// htmlLines returns the lines of a block of HTML, its last one included.
func htmlLines(n *ast.HTMLBlock) []text.Segment {
	lines := n.Lines().Sliced(0, n.Lines().Len())
	if n.HasClosure() {
		lines = append(lines[:len(lines):len(lines)], n.ClosureLine)
	}
	return lines
}

package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
)

// Code returns what a text shows as code, in order: the code spans, and the lines
// of code blocks. In a hint, that is what its reader may type.
func Code(text string) []string {
	document, source := parse(text)
	var code []string
	ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) { // no node returns an error
		if !entering {
			return ast.WalkContinue, nil
		}
		switch node.Kind() {
		case ast.KindCodeSpan:
			var span strings.Builder
			for child := node.FirstChild(); child != nil; child = child.NextSibling() {
				if t, ok := child.(*ast.Text); ok {
					span.Write(t.Value(source))
				}
			}
			code = append(code, strings.Join(strings.Fields(span.String()), " "))
			return ast.WalkSkipChildren, nil
		case ast.KindCodeBlock, ast.KindFencedCodeBlock:
			for _, line := range node.Lines().Sliced(0, node.Lines().Len()) {
				if text := strings.TrimSpace(string(line.Value(source))); text != "" {
					code = append(code, text)
				}
			}
		}
		return ast.WalkContinue, nil
	})
	return code
}

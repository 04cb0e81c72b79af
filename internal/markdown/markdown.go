// Package markdown owns how an author's text is shown: CommonMark as terminal
// text or as HTML, and plain text wrapped to a width. Chinese, which has no
// spaces, is wrapped between its characters. The text is a stranger's: no control
// character and no HTML of its own gets through.
package markdown

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// parse returns the text as a tree, and the source that its nodes point into.
func parse(markdown string) (ast.Node, []byte) {
	source := []byte(Clean(markdown))
	markup := parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(append(parser.DefaultInlineParsers(),
			util.Prioritized(emphasisParser{parser.NewEmphasisParser()}, 499))...), // the default one has 500
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)
	document := markup.Parse(text.NewReader(source))
	joinLines(document, source)
	return document, source
}

// emphasisParser lets asterisks open and close beside Chinese. CommonMark looks for
// spaces and punctuation at the ends of words to tell the one from the other, so
// that in «**注意：**請» the second pair would not close; but Chinese has no spaces.
type emphasisParser struct{ parser.InlineParser }

func (p emphasisParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	d, ok := p.InlineParser.Parse(parent, block, pc).(*parser.Delimiter)
	if !ok {
		return nil
	}
	after := ' '
	if rest, _ := block.PeekLine(); len(rest) > 0 {
		after, _ = utf8.DecodeRune(rest)
	}
	if d.Char == '*' && (isCJK(before) || isCJK(after)) {
		d.CanOpen = d.CanOpen || !util.IsSpaceRune(after)
		d.CanClose = d.CanClose || !util.IsSpaceRune(before)
	}
	return d
}

// Clean removes the control characters that could drive a terminal, or make it
// show something else than what is there: of these only line ends and tabs stay.
func Clean(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff') {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// joinLines removes the line breaks of the source that would otherwise become a
// space inside a Chinese sentence.
func joinLines(document ast.Node, source []byte) {
	var last rune        // what stands before
	var broken *ast.Text // the node that ends in a line break there
	ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		n, isText := node.(*ast.Text)
		switch {
		case isText:
			value := n.Value(source)
			if len(bytes.TrimSpace(value)) > 0 {
				if first, _ := utf8.DecodeRune(value); broken != nil && joins(last, first) {
					broken.SetSoftLineBreak(false)
				}
				broken = nil
				last, _ = utf8.DecodeLastRune(value)
			}
			if n.SoftLineBreak() {
				broken = n
			}
		case !node.HasChildren(), node.Type() != ast.TypeInline:
			last, broken = 0, nil
		}
		return ast.WalkContinue, nil
	})
}

// joins reports whether two lines that end and begin so belong together without
// a space.
func joins(last, first rune) bool {
	return isCJK(last) && isCJK(first) ||
		isCJK(last) && unicode.IsPunct(last) || isCJK(first) && unicode.IsPunct(first)
}

// isCJK reports whether lines may break beside a character: those of Chinese and
// Japanese, and their wide punctuation. Korean has spaces.
func isCJK(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo) ||
		r >= '\u3000' && r <= '\u303f' || r >= '\uff01' && r <= '\uff60'
}

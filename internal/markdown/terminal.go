package markdown

import (
	"bufio"
	"bytes"
	"html"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	renderer "github.com/yuin/goldmark/renderer/html"
)

// Terminal renders CommonMark for a terminal of a width in columns, at least 20.
// Blocks are parted by an empty line; no line feed ends the last line. Code keeps
// its backticks and a link shows its address. With color, emphasis is bold or
// underlined and code is cyan; without, it keeps its marks and there is no escape
// sequence. HTML in the text is shown as it stands there, without its comments.
func Terminal(text string, width int, color bool) string {
	document, source := parse(text)
	p := &printer{source: source, width: max(width, narrowest), color: color}
	p.blocks(document, true)
	return p.out.String()
}

// printer writes blocks below each other.
type printer struct {
	out    strings.Builder
	source []byte
	width  int
	color  bool
	first  string  // what the next line begins with, say a list item's marker
	indent string  // what the lines after it begin with, as wide as first
	gap    *string // what the line begins with that parts the next block; nil: none does
}

// part asks for an empty line before whatever is written next.
func (p *printer) part() {
	if p.gap == nil {
		indent := p.indent
		p.gap = &indent
	}
}

// blocks writes the children of a block; loose ones are parted by empty lines.
func (p *printer) blocks(parent ast.Node, loose bool) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if loose && n.PreviousSibling() != nil {
			p.part()
		}
		p.block(n)
	}
}

func (p *printer) block(node ast.Node) {
	switch n := node.(type) {
	case *ast.Heading:
		mark := ""
		if !p.color {
			mark = strings.Repeat("#", n.Level) + " "
		}
		p.text(n, bold, mark)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		p.code(n)
	case *ast.HTMLBlock:
		p.html(n)
	case *ast.ThematicBreak:
		p.line("---")
	case *ast.Blockquote:
		p.within("> ", "> ", func() { p.blocks(n, true) })
	case *ast.List:
		p.list(n)
	default:
		p.text(n, plain, "")
	}
}

func (p *printer) list(n *ast.List) {
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		marker := "- "
		if n.IsOrdered() {
			marker = strconv.Itoa(number) + string(n.Marker) + " "
			number++
		}
		if !n.IsTight && item.PreviousSibling() != nil {
			p.part()
		}
		p.within(marker, strings.Repeat(" ", len(marker)), func() {
			p.blocks(item, !n.IsTight)
			if p.first != p.indent { // nothing was in it
				p.line("")
			}
		})
	}
}

// within writes blocks that are indented further. What would leave less than half
// of the width begins at the left again.
func (p *printer) within(first, indent string, write func()) {
	if len(p.indent)+len(indent) > p.width/2 {
		if p.first != p.indent {
			p.line("")
		}
		outer := p.indent
		p.first, p.indent = first, indent
		write()
		p.first, p.indent = outer, outer
		return
	}
	outerFirst, outer, length := p.first, p.indent, p.out.Len()
	p.first, p.indent = outerFirst+first, outer+indent
	write()
	p.first, p.indent = outer, outer
	if p.out.Len() == length {
		p.first = outerFirst
	}
}

// line writes one line.
func (p *printer) line(text string) {
	if p.out.Len() > 0 {
		p.out.WriteByte('\n')
		if p.gap != nil {
			p.out.WriteString(strings.TrimRight(*p.gap, " "))
			p.out.WriteByte('\n')
		}
	}
	p.gap = nil
	p.out.WriteString(strings.TrimRight(p.first+text, " "))
	p.first = p.indent
}

func (p *printer) lines(lines [][]glyph, indent string) {
	for _, line := range lines {
		var b strings.Builder
		b.WriteString(indent)
		write(&b, line)
		p.line(b.String())
	}
}

// code writes a block of code as it is, a line that is too long in pieces.
func (p *printer) code(n ast.Node) {
	const indent = "    "
	for _, segment := range n.Lines().Sliced(0, n.Lines().Len()) {
		var line passage
		line.add(untab(strings.TrimRight(string(segment.Value(p.source)), "\n")), p.style(cyan))
		p.lines(line.cut(p.width-len(p.indent)-len(indent)), indent)
	}
}

// html shows a block of HTML as text.
func (p *printer) html(n *ast.HTMLBlock) {
	if n.HTMLBlockType == ast.HTMLBlockType2 { // a comment
		return
	}
	for _, segment := range htmlLines(n) {
		var line passage
		line.add(flat(string(segment.Value(p.source))), plain)
		p.lines(line.lines(p.width-len(p.indent)), "")
	}
}

// text writes a paragraph or heading; each hard break begins a new passage.
func (p *printer) text(n ast.Node, s style, mark string) {
	passages := []*passage{{}}
	passages[0].add(mark, plain)
	p.inline(n, p.style(s), &passages)
	for _, passage := range passages {
		p.lines(passage.lines(p.width-len(p.indent)), "")
	}
}

// style is the style if there are colours.
func (p *printer) style(s style) style {
	if p.color {
		return s
	}
	return plain
}

// inline adds the text of a node's children to the last passage.
func (p *printer) inline(parent ast.Node, s style, passages *[]*passage) {
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		last := (*passages)[len(*passages)-1]
		switch n := node.(type) {
		case *ast.Text:
			last.add(flat(literal(n.Value(p.source))), s)
			if n.HardLineBreak() {
				*passages = append(*passages, &passage{})
			} else if n.SoftLineBreak() {
				last.add(" ", s)
			}
		case *ast.CodeSpan:
			last.mark("`", false)
			for t := n.FirstChild(); t != nil; t = t.NextSibling() {
				last.add(flat(string(t.(*ast.Text).Value(p.source))), s|p.style(cyan))
			}
			last.mark("`", true)
		case *ast.Emphasis:
			p.emphasis(n, s, passages)
		case *ast.Link:
			p.link(n, n.Destination, s, passages)
		case *ast.Image:
			p.link(n, n.Destination, s, passages)
		case *ast.AutoLink:
			last.add(flat(string(n.Label(p.source))), s)
		case *ast.RawHTML:
			if tag := string(n.Segments.Value(p.source)); !strings.HasPrefix(tag, "<!--") {
				last.add(flat(tag), s)
			}
		}
	}
}

func (p *printer) emphasis(n *ast.Emphasis, s style, passages *[]*passage) {
	added, mark := underline, "*"
	if n.Level == 2 {
		added, mark = bold, "**"
	}
	if p.color || nested(n, n.Level) {
		mark = ""
	}
	(*passages)[len(*passages)-1].mark(mark, false)
	p.inline(n, s|p.style(added), passages)
	(*passages)[len(*passages)-1].mark(mark, true)
}

// nested reports whether a node is inside of the same emphasis already.
func nested(n ast.Node, level int) bool {
	for n = n.Parent(); n != nil; n = n.Parent() {
		if outer, ok := n.(*ast.Emphasis); ok && outer.Level == level {
			return true
		}
	}
	return false
}

// link writes a link's text, and its address unless that is the text.
func (p *printer) link(n ast.Node, destination []byte, s style, passages *[]*passage) {
	before := (*passages)[len(*passages)-1].text.Len()
	p.inline(n, s, passages)
	last := (*passages)[len(*passages)-1]
	address := flat(literal(destination))
	if text := last.text.String(); address != "" && text[min(before, len(text)):] != address {
		last.add(" ("+address+")", s)
	}
}

// literal returns text without its backslashes and with its character references
// resolved. The writer of the HTML renderer does that in one go; what it escaped
// is turned back.
func literal(source []byte) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	renderer.DefaultWriter.Write(w, source)
	w.Flush()
	return html.UnescapeString(b.String())
}

// flat makes one line of text. It is cleaned once more, because a character
// reference can stand for a control character.
func flat(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Clean(text))
}

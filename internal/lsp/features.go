package lsp

import (
	"context"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/creachadair/jrpc2"

	"github.com/labrun/labrun/internal/analysis"
)

func diagnosticOf(f analysis.Finding, t text) diagnostic {
	d := diagnostic{Range: t.textRange(f.Span), Code: f.Rule, Source: "labrun", Message: f.Text()}
	switch f.Severity {
	case analysis.SeverityError:
		d.Severity = severityError
	case analysis.SeverityWarning:
		d.Severity = severityWarning
	case analysis.SeverityNote:
		d.Severity = severityInformation
	}
	if f.Rule == "unused" {
		d.Tags = []int{tagUnnecessary}
	}
	return d
}

// at returns the draft of the document that a request is about, and the place; the
// draft has no Draft if it is not open. The caller closes it.
func (s *server) at(req *jrpc2.Request) (drafted, analysis.Place, error) {
	var p positionParams
	if err := req.UnmarshalParams(&p); err != nil {
		return drafted{}, analysis.Place{}, err
	}
	doc := s.documents[p.TextDocument.URI]
	if doc == nil {
		return drafted{}, analysis.Place{}, nil
	}
	return s.draft(doc), doc.lines.place(p.Position), nil
}

// completionKinds are the protocol's numbers of what mission calls them.
var completionKinds = map[string]int{
	"function": 3, "field": 5, "variable": 6, "parameter": 10, "value": 12, "keyword": 14, "file": 17,
}

func (s *server) completion(_ context.Context, req *jrpc2.Request) (any, error) {
	d, place, err := s.at(req)
	if d.Draft == nil || err != nil {
		return nil, err
	}
	defer d.close()
	list := completionList{Items: []completionItem{}}
	for _, c := range d.Complete(place) {
		item := completionItem{
			Label: c.Label, Kind: completionKinds[c.Kind], Detail: c.Detail, SortText: order(c) + c.Label,
			FilterText: c.Insert,
			TextEdit:   textEdit{Range: d.text.textRange(c.Replace), NewText: c.Insert}, Documentation: markdown(c.Doc),
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// order puts first what is most likely: what fits, then the script's own names.
func order(c analysis.Completion) string {
	switch {
	case c.Fits && c.Kind != "parameter":
		return "1"
	case c.Fits:
		return "2"
	case c.Kind == "variable" || c.Kind == "field":
		return "3"
	case c.Kind == "keyword":
		return "5"
	}
	return "4"
}

func markdown(text string) *markup {
	if text == "" {
		return nil
	}
	return &markup{Kind: "markdown", Value: text}
}

func (s *server) hover(_ context.Context, req *jrpc2.Request) (any, error) {
	d, place, err := s.at(req)
	if d.Draft == nil || err != nil {
		return nil, err
	}
	defer d.close()
	text, span, ok := d.Hover(place)
	if !ok {
		return nil, nil
	}
	return hover{Contents: *markdown(text), Range: d.text.textRange(span)}, nil
}

func (s *server) signatureHelp(_ context.Context, req *jrpc2.Request) (any, error) {
	d, place, err := s.at(req)
	if d.Draft == nil || err != nil {
		return nil, err
	}
	defer d.close()
	signature, ok := d.Signature(place)
	if !ok {
		return nil, nil
	}
	information := signatureInformation{
		Label: signature.Label, Documentation: markdown(signature.Doc), Parameters: []parameterInformation{},
	}
	from := strings.IndexByte(signature.Label, '(')
	for _, p := range signature.Parameters {
		if i := strings.Index(signature.Label[from:], p.Label); i >= 0 {
			from += i
		}
		var label any = p.Label
		if s.offsets {
			begin := units(signature.Label[:from])
			label = [2]int{begin, begin + units(p.Label)}
		}
		raw, err := json.Marshal(label)
		if err != nil {
			return nil, err
		}
		information.Parameters = append(
			information.Parameters, parameterInformation{Label: raw, Documentation: markdown(p.Doc)},
		)
		from = min(from+len(p.Label), len(signature.Label))
	}
	help := signatureHelp{Signatures: []signatureInformation{information}, ActiveParameter: signature.Active}
	if signature.Active < 0 { // the protocol's way to say none
		help.ActiveParameter = len(signature.Parameters)
	}
	return help, nil
}

// units counts UTF-16 code units.
func units(text string) int { return len(utf16.Encode([]rune(text))) }

func (s *server) definition(_ context.Context, req *jrpc2.Request) (any, error) {
	d, place, err := s.at(req)
	if d.Draft == nil || err != nil {
		return nil, err
	}
	defer d.close()
	at, ok := d.Definition(place)
	if !ok {
		return nil, nil
	}
	if at.File == d.Name() {
		var p documentParams
		if err := req.UnmarshalParams(&p); err != nil {
			return nil, err
		}
		return location{URI: p.TextDocument.URI, Range: d.text.textRange(at.Span)}, nil
	}
	data, err := fs.ReadFile(d.folder, at.File)
	if err != nil {
		return nil, nil // it is gone in this moment
	}
	return location{
		URI: uriOf(filepath.Join(d.folder.path, at.File)), Range: newText(string(data)).textRange(at.Span),
	}, nil
}

// symbolKinds are the protocol's numbers of what mission calls them: an event, a
// function, an object, an interface, a variable.
var symbolKinds = map[string]int{"step": 24, "function": 12, "machine": 19, "network": 11, "variable": 13}

func (s *server) documentSymbol(_ context.Context, req *jrpc2.Request) (any, error) {
	d, _, err := s.at(req)
	if d.Draft == nil || err != nil {
		return nil, err
	}
	defer d.close()
	symbols := []documentSymbol{}
	for _, o := range d.Outline() {
		symbols = append(symbols, documentSymbol{
			Name: o.Name, Detail: o.Detail, Kind: symbolKinds[o.Kind],
			Range: d.text.textRange(o.Span), SelectionRange: d.text.textRange(o.Title),
		})
	}
	return symbols, nil
}

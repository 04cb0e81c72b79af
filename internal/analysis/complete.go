package analysis

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// Completion is what could stand at an editor's cursor.
type Completion struct {
	Label   string
	Kind    string // function, variable, field, parameter, keyword, file or value
	Detail  string // one line
	Doc     string // Markdown
	Insert  string // what takes the place of Replace
	Replace Span
	Fits    bool // better than others: it is of the type that is wanted there
}

// keywords are the words of the language that begin or join something.
var keywords = []string{"and", "break", "continue", "def", "elif", "else", "for", "if", "in", "lambda", "load", "not", "or", "pass", "return"}

// Complete returns what could stand at a place, in no order.
func (d *Draft) Complete(place Place) []Completion {
	c := d.file.cursorAt(place)
	text := d.file.lines.text
	switch {
	case c.in != nil && c.in.Kind == script.CommentToken:
		return nil
	case c.in != nil:
		return d.completeString(c)
	}
	if last := len(c.tokens) - 1; last >= 0 && c.tokens[last].Kind == script.NumberToken && c.tokens[last].To >= c.offset {
		return nil
	}
	before, ok := c.previous()
	if ok && before.In(text) == "." {
		return d.completeField(c, place)
	}
	if ok && before.In(text) == "def" {
		return nil // a name that there is not yet
	}
	return d.completeName(c, place)
}

// replace is the span of what a completion replaces: from an offset to the end of
// the name at the cursor.
func (d *Draft) replace(from int, c cursor) Span {
	end := c.offset
	if c.in == nil && c.word != "" {
		end = max(end, c.tokens[len(c.tokens)-1].To)
	}
	return d.file.lines.span(from, end)
}

// completeField completes what comes after a dot.
func (d *Draft) completeField(c cursor, place Place) (list []Completion) {
	dot := len(c.tokens) - 1
	if c.word != "" {
		dot--
	}
	text := d.file.lines.text
	begin := primary(text, c.tokens[:dot])
	if begin < 0 {
		return nil
	}
	f, x, ok := d.expression(place.Line, text[begin:c.tokens[dot].From])
	if !ok {
		return nil
	}
	kind := d.files.kind(f, x)
	replace := d.replace(c.offset-len(c.word), c)
	if t, ok := builtins.TypeOf(kind); ok {
		for _, field := range t.Fields {
			list = append(list, Completion{Label: field.Name, Kind: "field", Detail: string(field.Kind), Doc: field.Doc, Insert: field.Name, Replace: replace})
		}
		return list
	}
	names, _ := fieldNames(kind)
	for _, name := range names {
		list = append(list, Completion{Label: name, Kind: "function", Detail: "method of a " + string(kind), Insert: name, Replace: replace})
	}
	return list
}

// completeName completes a name: of an argument, a builtin or a variable.
func (d *Draft) completeName(c cursor, place Place) (list []Completion) {
	f := d.recovered(place.Line)
	replace := d.replace(c.offset-len(c.word), c)
	wanted, params := d.wanted(f, c)
	for _, p := range params {
		list = append(list, Completion{Label: p.Name + " =", Kind: "parameter", Detail: string(p.Kind), Doc: parameterDoc(p), Insert: p.Name + " = ", Replace: replace, Fits: true})
	}
	seen := map[string]bool{}
	for _, v := range f.visible(place) {
		name := v.name.Name
		if seen[name] {
			continue
		}
		seen[name] = true
		item := Completion{Label: name, Kind: "variable", Insert: name, Replace: replace}
		v = d.files.follow(v)
		switch {
		case v == nil:
		case v.def != nil:
			item.Kind, item.Detail, item.Doc = "function", signatureOf(v.def), functionDoc(v.def)
			item.Fits = wanted == builtins.Function || wanted == builtins.Solution
		case v.value != nil:
			kind := d.files.kind(v.home, v.value)
			item.Detail = string(kind)
			item.Fits = kind != "" && wanted != "" && (wanted.Takes(kind) || wanted == builtins.Cards && (kind == builtins.Network || kind == builtins.Uplink))
		}
		list = append(list, item)
	}
	for _, e := range builtins.Table() {
		if !seen[e.Name] {
			seen[e.Name] = true
			list = append(list, Completion{Label: e.Name, Kind: "function", Detail: e.Summary, Doc: e.Doc(), Insert: e.Name, Replace: replace,
				Fits: wanted != "" && wanted == e.Result})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(starlark.Universe)) {
		if !seen[name] {
			kind := "function"
			if _, ok := starlark.Universe[name].(*starlark.Builtin); !ok {
				kind = "keyword"
			}
			list = append(list, Completion{Label: name, Kind: kind, Detail: "of Starlark", Insert: name, Replace: replace})
		}
	}
	for _, word := range keywords {
		list = append(list, Completion{Label: word, Kind: "keyword", Insert: word, Replace: replace})
	}
	return list
}

// visible returns the variables that a place can see, the innermost first.
func (f *sourceFile) visible(place Place) (list []*variable) {
	if f.tree == nil {
		return nil
	}
	for _, stmt := range f.tree.Stmts {
		def, ok := stmt.(*syntax.DefStmt)
		if !ok {
			continue
		}
		span := f.spanOf(def)
		// At the end of a function, a new line of it is being typed.
		if before(place, span.From) || span.To.Line+1 < place.Line || span.To.Line+1 == place.Line && place.Column == 1 {
			continue
		}
		for _, v := range f.variables {
			at := placeOf(v.name.NamePos)
			if f.globals[v.name.Name] != v && !before(at, span.From) && before(at, span.To) {
				list = append(list, v)
			}
		}
	}
	slices.SortFunc(list, func(a, b *variable) int { return strings.Compare(a.name.Name, b.name.Name) })
	for _, name := range slices.Sorted(maps.Keys(f.globals)) {
		list = append(list, f.globals[name])
	}
	return list
}

// wanted returns the kind of the argument that the cursor is in, and the parameters
// that can be given by name there.
func (d *Draft) wanted(f *sourceFile, c cursor) (kind builtins.Kind, byName []builtins.Param) {
	i := len(c.calls) - 1
	if i < 0 {
		return "", nil
	}
	inList := c.calls[i].function == ""
	if inList && i > 0 {
		i--
	}
	call := c.calls[i]
	params, ok := d.parameters(f, call.function)
	if !ok {
		return "", nil
	}
	if p := parameterAt(params, call); p >= 0 {
		kind = params[p].Kind
	}
	if inList || !call.begins {
		return kind, nil
	}
	for j, p := range params {
		if !p.Variadic && !slices.Contains(call.given, p.Name) && (p.Keyword || j >= call.index) {
			byName = append(byName, p)
		}
	}
	return kind, byName
}

// parameters returns the parameters of a function that is called: a builtin's, or
// those of a function of the script's.
func (d *Draft) parameters(f *sourceFile, function string) ([]builtins.Param, bool) {
	if v := d.files.follow(f.globals[function]); v != nil {
		if v.def == nil {
			return nil, false
		}
		return ownParameters(v.def), true
	}
	e, ok := d.files.builtins[function]
	return e.Params, ok
}

func ownParameters(def *syntax.DefStmt) (params []builtins.Param) {
	byName := false
	for _, x := range def.Params {
		switch x := x.(type) {
		case *syntax.Ident:
			params = append(params, builtins.Param{Name: x.Name, Kind: builtins.Anything, Keyword: byName})
		case *syntax.BinaryExpr:
			if id, ok := x.X.(*syntax.Ident); ok {
				params = append(params, builtins.Param{Name: id.Name, Kind: builtins.Anything, Default: brief(x.Y), Keyword: byName})
			}
		case *syntax.UnaryExpr:
			byName = true
			if id, ok := x.X.(*syntax.Ident); ok {
				params = append(params, builtins.Param{Name: id.Name, Kind: builtins.Anything, Variadic: true})
			}
		}
	}
	return params
}

// parameterAt returns the index of the parameter that the cursor's argument is
// for; -1 if there is none.
func parameterAt(params []builtins.Param, call openCall) int {
	for i, p := range params {
		switch {
		case call.keyword != "":
			if p.Name == call.keyword {
				return i
			}
		case p.Variadic && call.index >= i, call.index == i && !p.Keyword:
			return i
		}
	}
	return -1
}

// completeString completes the strings that name things: images and files.
func (d *Draft) completeString(c cursor) (list []Completion) {
	call, ok := c.call()
	if !ok {
		return nil
	}
	_, begin := c.in.Inside(d.file.lines.text)
	if begin > c.offset {
		return nil
	}
	replace := d.replace(begin, c)
	// What is behind the cursor in the string is replaced, too.
	if inside, _ := c.in.Inside(d.file.lines.text); !c.in.Open && !strings.Contains(inside, "\n") {
		replace = d.file.lines.span(begin, begin+len(inside))
	}
	add := func(kind, name, detail string) {
		list = append(list, Completion{Label: name, Kind: kind, Detail: detail, Insert: name, Replace: replace, Fits: true})
	}
	switch {
	case call.function == "machine" && (call.keyword == "image" || call.index == 0 && (call.keyword == "" || call.keyword == "name")):
		for _, name := range d.files.images {
			add("value", name, "image")
		}
	case call.function == "machine" && call.index == 1 && call.keyword == "":
		for _, name := range d.files.images {
			add("value", name, "image")
		}
	case call.function == "load" && call.index == 0:
		for _, name := range d.loadable() {
			add("file", name, "")
		}
	case call.function == "load":
		for _, name := range d.loadedNames(c, call) {
			add("variable", name, "")
		}
	}
	return list
}

// mostFiles bounds how many files are looked at for a completion.
const maxFiles = 500

// loadable returns the scripts of the folder that this one can load, as load wants
// them written.
func (d *Draft) loadable() (names []string) {
	seen := 0
	// A folder that cannot be read has nothing to offer.
	fs.WalkDir(d.files.folder, ".", func(name string, e fs.DirEntry, err error) error {
		seen++
		switch {
		case seen > maxFiles:
			return fs.SkipAll
		case err != nil || name != "." && strings.HasPrefix(path.Base(name), "."):
			if e != nil && e.IsDir() {
				return fs.SkipDir
			}
		case e.Type().IsRegular() && strings.HasSuffix(name, ".star") && name != d.file.name:
			names = append(names, relative(path.Dir(d.file.name), name))
		}
		return nil
	})
	return names
}

// relative writes a file's name as a load statement in a folder has it.
func relative(folder, name string) string {
	if folder == "." {
		return "./" + name
	}
	up := ""
	for !strings.HasPrefix(name, folder+"/") {
		up += "../"
		if folder = path.Dir(folder); folder == "." {
			return up + name
		}
	}
	if up == "" {
		up = "./"
	}
	return up + strings.TrimPrefix(name, folder+"/")
}

// loadedNames returns the names that the file has which a load statement loads.
func (d *Draft) loadedNames(c cursor, call openCall) (names []string) {
	text := d.file.lines.text
	for i, t := range c.tokens {
		if t.From <= call.bracket || t.Kind != script.StringToken || c.tokens[i-1].From != call.bracket {
			continue
		}
		request, _ := t.Inside(text)
		name, err := script.Resolve(d.file.name, request)
		if err != nil {
			return nil
		}
		other, err := d.files.open(name)
		if err != nil {
			return nil
		}
		for name := range other.globals {
			if !strings.HasPrefix(name, "_") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Signature is a function that is being called.
type Signature struct {
	Label      string
	Doc        string // Markdown
	Parameters []SignatureParameter
	Active     int // which of them the cursor is in; -1: none
}

// SignatureParameter is one parameter as it stands in the label.
type SignatureParameter struct{ Label, Doc string }

// Signature returns the function in whose arguments a place is; false if it is in
// none that is known.
func (d *Draft) Signature(place Place) (Signature, bool) {
	c := d.file.cursorAt(place)
	if c.in != nil && c.in.Kind == script.CommentToken {
		return Signature{}, false
	}
	for _, call := range slices.Backward(c.calls) {
		if call.function == "" {
			continue // a list within the arguments
		}
		f := d.recovered(place.Line)
		params, ok := d.parameters(f, call.function)
		if !ok {
			return Signature{}, false
		}
		signature := Signature{Active: parameterAt(params, call)}
		if v := d.files.follow(f.globals[call.function]); v != nil {
			doc, _ := docstring(v.def)
			signature.Label, signature.Doc = signatureOf(v.def), doc
		} else {
			e := d.files.builtins[call.function]
			signature.Label, signature.Doc = e.Signature(), e.Summary
		}
		for _, p := range params {
			doc := ""
			if p.Doc != "" {
				doc = fmt.Sprintf("%s: %s", p.Kind, p.Doc)
			}
			signature.Parameters = append(signature.Parameters, SignatureParameter{Label: p.Name, Doc: doc})
		}
		return signature, true
	}
	return Signature{}, false
}

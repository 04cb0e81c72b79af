package analysis

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
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

// completer collects completions, which all replace the same piece of a script.
type completer struct {
	replace Span
	list    []Completion
}

// offer adds a completion. Unless it says otherwise, its label is what is inserted.
func (c *completer) offer(item Completion) {
	if item.Insert == "" {
		item.Insert = item.Label
	}
	item.Replace = c.replace
	c.list = append(c.list, item)
}

// keywords are the words of the language that begin or join something.
var keywords = []string{
	"and", "break", "continue", "def", "elif", "else", "for", "if", "in", "lambda", "load", "not", "or", "pass",
	"return",
}

// Complete returns what could stand at a place, in no order.
func (d *Draft) Complete(place Place) []Completion {
	c := d.file.cursorAt(place)
	text := d.file.lines.text
	switch {
	case c.in != nil && c.in.Kind == script.CommentToken:
		return nil
	case c.in != nil:
		if offers := d.completeVariant(c, place); offers != nil {
			return offers
		}
		return d.completeString(c)
	}
	if n := len(c.tokens); n > 0 && c.tokens[n-1].Kind == script.NumberToken && c.tokens[n-1].To >= c.offset {
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
func (d *Draft) completeField(c cursor, place Place) []Completion {
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
	offers := completer{replace: d.replace(c.offset-len(c.word), c)}
	if t, ok := builtins.TypeOf(kind); ok {
		for _, field := range t.Fields {
			offers.offer(Completion{Label: field.Name, Kind: "field", Detail: string(field.Kind), Doc: field.Doc})
		}
		return offers.list
	}
	names, _ := fieldNames(kind)
	for _, name := range names {
		offers.offer(Completion{Label: name, Kind: "function", Detail: "method of a " + string(kind)})
	}
	return offers.list
}

// completeName completes a name: of an argument, a variable, a builtin or a keyword. A
// variable hides a builtin of its name.
func (d *Draft) completeName(c cursor, place Place) []Completion {
	f := d.recovered(place.Line)
	offers := completer{replace: d.replace(c.offset-len(c.word), c)}
	wanted, params := d.wanted(f, c)
	for _, p := range params {
		offers.offer(Completion{
			Label: p.Name + " =", Kind: "parameter", Detail: string(p.Kind), Doc: parameterDoc(p),
			Insert: p.Name + " = ", Fits: true,
		})
	}
	seen := map[string]bool{}
	for _, v := range f.visible(place) {
		if name := v.name.Name; !seen[name] {
			seen[name] = true
			offers.offer(d.variableItem(name, d.files.follow(v), wanted))
		}
	}
	for _, e := range builtins.Table() {
		if !seen[e.Name] {
			seen[e.Name] = true
			fits := wanted != "" && wanted == e.Result
			offers.offer(Completion{Label: e.Name, Kind: "function", Detail: e.Summary, Doc: e.Doc(), Fits: fits})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(starlark.Universe)) {
		if !seen[name] {
			kind := "function"
			if _, ok := starlark.Universe[name].(*starlark.Builtin); !ok {
				kind = "keyword"
			}
			offers.offer(Completion{Label: name, Kind: kind, Detail: "of Starlark"})
		}
	}
	for _, word := range keywords {
		offers.offer(Completion{Label: word, Kind: "keyword"})
	}
	return offers.list
}

// variableItem offers a variable where a value of a kind is wanted. The variable is nil if
// it is loaded from a file that does not have it.
func (d *Draft) variableItem(name string, v *variable, wanted builtins.Kind) Completion {
	item := Completion{Label: name, Kind: "variable"}
	switch {
	case v == nil:
	case v.def != nil:
		item.Kind, item.Detail, item.Doc = "function", signatureOf(v.def), functionDoc(v.def)
		item.Fits = wanted == builtins.Function || wanted == builtins.Solution
	case v.value != nil:
		kind := d.files.kind(v.home, v.value)
		item.Detail = string(kind)
		isCard := kind == builtins.Network || kind == builtins.Uplink
		item.Fits = kind != "" && wanted != "" && (wanted.Takes(kind) || wanted == builtins.Cards && isCard)
	}
	return item
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
		// In the line below a function, a further one of it is being typed if it is indented.
		below := place.Line == span.To.Line+1 && place.Column > 1
		if place.Before(span.From) || place.Line > span.To.Line && !below {
			continue
		}
		for _, v := range f.variables {
			at := placeOf(v.name.NamePos)
			if f.globals[v.name.Name] != v && !at.Before(span.From) && at.Before(span.To) {
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

// openBrace is a variant's name that was begun in a text.
var openBrace = regexp.MustCompile(`(?:^|[^$])\{([a-z][a-z0-9_]*)?$`)

// completeVariant completes a variant's name in braces; nil if none was begun.
func (d *Draft) completeVariant(c cursor, place Place) []Completion {
	text := d.file.lines.text
	begun := openBrace.FindStringSubmatch(text[c.in.From:c.offset])
	if begun == nil {
		return nil
	}
	offers := completer{replace: d.file.lines.span(c.offset-len(begun[1]), c.offset)}
	for _, name := range d.files.drawn(d.recovered(place.Line)) {
		item := Completion{Label: name, Kind: "value", Detail: "what is drawn for the student", Fits: true}
		if !strings.HasPrefix(text[c.offset:], "}") {
			item.Insert = name + "}"
		}
		offers.offer(item)
	}
	return offers.list
}

// completeString completes the strings that name things: images and files.
func (d *Draft) completeString(c cursor) []Completion {
	call, ok := c.call()
	if !ok {
		return nil
	}
	inside, begin := c.in.Inside(d.file.lines.text)
	if begin > c.offset {
		return nil
	}
	offers := completer{replace: d.replace(begin, c)}
	// What is behind the cursor in the string is replaced, too.
	if !c.in.Open && !strings.Contains(inside, "\n") {
		offers.replace = d.file.lines.span(begin, begin+len(inside))
	}
	add := func(kind, detail string, names []string) {
		for _, name := range names {
			offers.offer(Completion{Label: name, Kind: kind, Detail: detail, Fits: true})
		}
	}
	switch {
	case call.function == "machine" && call.names("name", 0), call.function == "machine" && call.names("image", 1):
		add("value", "image", d.files.images.Names())
	case call.function == "load" && call.index == 0:
		add("file", "", d.loadable())
	case call.function == "load":
		add("variable", "", d.loadedNames(c, call))
	}
	return offers.list
}

// names reports whether the cursor is in the argument for a parameter, which is given by its
// name or by its place.
func (c openCall) names(parameter string, place int) bool {
	return c.keyword == parameter || c.keyword == "" && c.index == place
}

// maxFiles bounds how many files are looked at for a completion.
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

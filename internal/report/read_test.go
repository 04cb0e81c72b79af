package report

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// kinds are the types of package event that are events, by their source.
func kinds(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../event/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Kind" && f.Recv != nil {
				names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	return names
}

func TestEveryEventCanBeRead(t *testing.T) {
	decoded := map[string]bool{}
	for kind, decode := range decoders {
		e, err := decode([]byte("{}"))
		if err != nil || e.Kind() != kind {
			t.Errorf("%s is decoded as %T, %v", kind, e, err)
			continue
		}
		decoded[reflect.TypeOf(e).Name()] = true
	}
	names := kinds(t)
	if len(names) < 15 {
		t.Fatalf("only the events %v were found", names)
	}
	for _, name := range names {
		if !decoded[name] {
			t.Errorf("event.%s is not in the table of ReadEvents", name)
		}
	}
}

// fill gives every field of an event a value of its own.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, *n%60, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.String:
		v.SetString(strings.Repeat("é\x1b<\n", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	default:
		t.Fatalf("a field of kind %s: teach fill about it", v.Kind())
	}
}

func TestEventsSurviveARoundTrip(t *testing.T) {
	var written []event.Record
	var out bytes.Buffer
	sink, failed := JSONLines(&out)
	n := 0
	for _, decode := range decoders {
		e, err := decode([]byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.New(reflect.TypeOf(e)).Elem()
		fill(t, v, &n)
		record := event.Record{Time: time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC), Event: v.Interface().(event.Event)}
		written = append(written, record)
		sink(record)
	}
	if err := failed(); err != nil {
		t.Fatal(err)
	}
	read, err := ReadEvents(&out)
	if err != nil || !reflect.DeepEqual(read, written) {
		t.Errorf("read %+v (%v), want %+v", read, err, written)
	}
}

func TestReadEvents(t *testing.T) {
	const first = `{"time":"2026-01-02T03:04:05Z","event":"said","text":"one"}` + "\n"
	tests := []struct {
		name, input string
		events      int
		err         string
	}{
		{"nothing", "", 0, ""},
		{"one", first, 1, ""},
		{"a kind of a later labrun", `{"time":"2026-01-02T03:04:05Z","event":"teleported","text":7}` + "\n" + first, 1, ""},
		{"a field of a later labrun", strings.Replace(first, "}", `,"mood":[]}`, 1), 1, ""},
		{"a torn last line", first + first[:40], 1, ""},
		{"a last line that lacks its end", first + first[:len(first)-1], 1, ""},
		{"no JSON", first + "hello\n" + first, 1, "line 2: invalid character"},
		{"no JSON object", "[1]\n", 0, "line 1: json: cannot unmarshal array"},
		{"a field of another type", first + first + strings.Replace(first, `"one"`, "1", 1), 2, "line 3: said: json: cannot unmarshal number"},
		{"binary data", "\x00\xff\n", 0, "line 1: invalid character"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ReadEvents(strings.NewReader(test.input))
			if len(got) != test.events || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%d events, error %v; want %d, %q", len(got), err, test.events, test.err)
			}
		})
	}
}

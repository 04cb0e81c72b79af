package builtins

import (
	"fmt"
	"strings"
)

// Help returns one builtin's documentation as plain text; false if there is
// none of that name.
func Help(name string) (string, bool) {
	for _, e := range Table() {
		if e.Name == name {
			return e.help(), true
		}
	}
	return "", false
}

func (e Entry) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n    %s\n", e.Signature(), e.Summary)
	if len(e.Params) > 0 {
		b.WriteByte('\n')
	}
	for _, p := range e.Params {
		fmt.Fprintf(&b, "    %-12s %s: %s\n", p.Name, p.Kind, p.Doc)
	}
	if e.Returns != "" {
		fmt.Fprintf(&b, "    %-12s %s\n", "returns", e.Returns)
	}
	if more := e.details(); more != "" {
		fmt.Fprintf(&b, "\n    %s\n", more)
	}
	if e.Example != "" {
		fmt.Fprintf(&b, "\n        %s\n", strings.ReplaceAll(e.Example, "\n", "\n        "))
	}
	return b.String()
}

// details is what there is to say besides the summary.
func (e Entry) details() string {
	text := e.Detail
	if e.Phase == Acting && e.Looks() {
		text += " A task's check may call it."
	}
	if e.Effect.Has(Runs) {
		text += " There, let the command only look, too: labrun cannot know what it does."
	}
	return strings.TrimSpace(text)
}

// Doc returns the builtin's documentation as Markdown, as an editor shows it.
func (e Entry) Doc() string {
	text := "```python\n" + e.Signature() + "\n```\n\n" + capital(e.Summary) + "."
	if more := e.details(); more != "" {
		text += " " + more
	}
	if len(e.Params) > 0 {
		text += "\n"
	}
	for _, p := range e.Params {
		text += fmt.Sprintf("\n- `%s` (%s): %s", p.Name, p.Kind, p.Doc)
	}
	if e.Returns != "" {
		text += "\n\nReturns: " + e.Returns
	}
	return text + "\n\n```python\n" + e.Example + "\n```"
}

// Markdown returns the reference of all builtins: docs/builtins.md is exactly
// this, and a test says so.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# What a mission can call\n\n" +
		"Made from the table in package `builtins` by `labrun doc --markdown`; edit it there.\n\n" +
		"Besides these, a mission has Starlark's own functions, and `load(\"./file.star\", \"name\")` for files of its own folder.\n" +
		"Parameters after `*` are given by name. A time-out is in seconds, or a string such as `\"1m30s\"`.\n")
	group := ""
	for _, e := range Table() {
		if e.Group != group {
			group = e.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s.", e.Signature(), capital(e.Summary))
		if more := e.details(); more != "" {
			b.WriteString(" " + more)
		}
		b.WriteString("\n")
		if len(e.Params) > 0 {
			b.WriteString("\n| parameter | type | |\n|---|---|---|\n")
			for _, p := range e.Params {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, p.Kind, strings.ReplaceAll(p.Doc, "|", `\|`))
			}
		}
		if e.Returns != "" {
			fmt.Fprintf(&b, "\nReturns: %s\n", e.Returns)
		}
		if e.Example != "" {
			fmt.Fprintf(&b, "\n```python\n%s\n```\n", e.Example)
		}
	}
	return b.String()
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

package builtins

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/image"
)

func channel() []Entry {
	const group = "Behind the scenes"
	where := Param{Name: "path", Kind: Text, Doc: "an absolute path in the guest"}
	return []Entry{{
		Name:    "run",
		Group:   group,
		Phase:   Acting,
		Effect:  Runs,
		Demands: "check",
		call:    runCommand,
		Result:  Result,
		Returns: "struct: `status`, `stdout`, `stderr`, `seconds`; it counts as true if the status is 0",
		Params: []Param{m, {Name: "command", Kind: Text, Doc: "for the guest's `sh`, as root, in root's home"},
			{
				Name:    "check",
				Kind:    Boolean,
				Default: "False",
				Doc:     "fail the step if the status is not 0",
			}, hint, timeout("60")},
		Summary: "run a command on the control channel, which no student sees",
		Detail: "A command that is still running when its time is up is ended; its output, 8 MiB at most, may " +
			"take longer to arrive. On an image without a control channel the console is used as soon as a " +
			"shell prompt waits there with nothing typed at it; nobody at the console sees that, and what " +
			"they type meanwhile waits.",
		Example: `assert_equal(run(debian, "id -un").stdout, "root\n")`,
	}, {
		Name:    "read_file",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		call:    readFile,
		Result:  Content,
		Returns: "string, or bytes if it is no UTF-8",
		Params:  []Param{m, where, timeout("60")},
		Summary: "read a file of the guest, 8 MiB at most",
		Example: `assert_contains(read_file(alpine, "/etc/os-release"), "Alpine")`,
	}, {
		Name:   "write_file",
		Group:  group,
		Phase:  Acting,
		Effect: Changes,
		call:   writeFile,
		verify: (*call).modeIsValid,
		Params: []Param{m, where, {Name: "content", Kind: Anything, Doc: "a string or bytes"},
			{Name: "mode", Kind: Integer, Default: "420", Doc: "permissions; 420 is 0o644"}, timeout("60")},
		Summary: "write a file of the guest, 8 MiB at most",
		Detail:  "It appears whole or not at all.",
		Example: `write_file(debian, "/root/hello.sh", "echo hello\n", mode = 0o755)`,
	}, {
		Name:   "put",
		Group:  group,
		Phase:  Acting,
		Effect: Changes,
		call:   put,
		Params: []Param{m,
			{Name: "file", Kind: Text, Doc: "a file or folder of the script's folder"},
			{Name: "path", Kind: Text, Doc: "what it is called in the guest, an absolute path"},
			{Name: "owner", Kind: Text, Default: `""`, Keyword: true, Doc: "`\"user\"` or `\"user:group\"`; root if not given"},
			timeout("60")},
		Summary: "copy a file or folder to the guest, 8 MiB at most",
		Detail: "Modes stay; links stay if they lead to something within the folder. Folders that are there already stay as they are, " +
			"and so does what else is in them. What the machine is to have in every run stands better in `machine(…, files = …)`, " +
			"which costs no time then.",
		Example: `put(debian, "./notes.txt", "/home/niko/notes.txt", owner = "niko:niko")`,
	}, {
		Name:    "read_json",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		call:    readJSON,
		Result:  Anything,
		Returns: "dict, list, string, number, bool or None",
		Params:  []Param{m, where, timeout("60")},
		Summary: "read a JSON file of the guest",
		Example: `leases = read_json(router, "/perm/dhcp4d/leases.json")`,
	}}
}

func runCommand(c *call) (starlark.Value, error) {
	c.acted(c.machine("machine").name(), c.text("command"))
	result, err := c.guest("machine").Run(c.ctx, c.text("command"), c.duration("timeout"))
	if err != nil {
		return nil, err
	}
	message := ""
	if result.Status != 0 {
		message = fmt.Sprintf(
			"`%s` on %s: exit status %d: %s", c.text("command"), c.machine("machine").name(), result.Status,
			lastOf(result),
		)
		if c.looks != nil {
			c.looks.found = message
		}
	}
	if c.boolean("check") {
		if err := c.check(result.Status == 0, c.text("command"), message, ""); err != nil {
			return nil, err
		}
	}
	return resultValue(result), nil
}

func lastOf(r control.Result) string {
	text := r.Stderr
	if text == "" {
		text = r.Stdout
	}
	return seen{what: "its output", text: text}.show()
}

func (c *call) content() ([]byte, error) {
	ctx, cancel := c.within()
	defer cancel()
	return c.guest("machine").ReadFile(ctx, c.text("path"))
}

func readFile(c *call) (starlark.Value, error) {
	data, err := c.content()
	if err != nil {
		return nil, err
	}
	if utf8.Valid(data) {
		return starlark.String(data), nil
	}
	return starlark.Bytes(data), nil
}

func writeFile(c *call) (starlark.Value, error) {
	data, err := c.bytes("content")
	if err != nil {
		return nil, err
	}
	if err := c.modeIsValid(); err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	c.acted(c.machine("machine").name(), c.text("path"))
	return nil, c.guest("machine").WriteFile(ctx, c.text("path"), data, uint32(c.integer("mode")))
}

// bytes is an argument that is a string or bytes.
func (c *call) bytes(parameter string) ([]byte, error) {
	v, _ := c.value(parameter)
	switch content := v.(type) {
	case starlark.String:
		return []byte(content), nil
	case starlark.Bytes:
		return []byte(content), nil
	}
	return nil, fmt.Errorf("%s: %s: want a string or bytes, got %s", c.entry.Name, parameter, described(v))
}

func put(c *call) (starlark.Value, error) {
	files, done, err := c.folder.Open()
	if err != nil {
		return nil, err
	}
	defer done()
	var tree image.Tree
	if err := tree.Add(files, path.Clean(c.text("file")), c.text("path"), c.text("owner")); err != nil {
		return nil, fmt.Errorf("put: %w", err)
	}
	ctx, cancel := c.within()
	defer cancel()
	c.acted(c.machine("machine").name(), c.text("path"))
	return nil, c.guest("machine").Put(ctx, &tree)
}

func (c *call) modeIsValid() error {
	if mode := c.integer("mode"); mode < 0 || mode > 0o7777 {
		return fmt.Errorf("write_file: mode = %d: want permissions from 0 to 0o7777", mode)
	}
	return nil
}

func readJSON(c *call) (starlark.Value, error) {
	data, err := c.content()
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, fmt.Errorf("read_json: %s on %s: %w", c.text("path"), c.machine("machine").name(), err)
	}
	return fromJSON(value), nil
}

func fromJSON(value any) starlark.Value {
	switch v := value.(type) {
	case bool:
		return starlark.Bool(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return starlark.MakeInt64(int64(v))
		}
		return starlark.Float(v)
	case string:
		return starlark.String(v)
	case []any:
		items := make([]starlark.Value, len(v))
		for i, item := range v {
			items[i] = fromJSON(item)
		}
		return starlark.NewList(items)
	case map[string]any:
		dict := starlark.NewDict(len(v))
		for key, item := range v {
			dict.SetKey(starlark.String(key), fromJSON(item)) // a string key always fits
		}
		return dict
	}
	return starlark.None
}

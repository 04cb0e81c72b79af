package builtins

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/console"
)

func typing() []Entry {
	const group = "Typing at a console"
	return []Entry{{
		Name:    "wait_prompt",
		Group:   group,
		Phase:   Acting,
		Effect:  Talks | Waits,
		call:    waitPrompt,
		lead:    leadWaitPrompt,
		asks:    "wait for its prompt",
		Result:  Text,
		Returns: "string: `login`, `password` or `shell`",
		Params:  []Param{on, timeout("180")},
		Summary: "wait until the console waits for input",
		Detail: "That is: a login, password or shell prompt that was printed after what was last typed. A " +
			"console that stays silent is sent Enter, except at a password prompt.",
		Example: `boot(router)
wait_prompt(router)`,
	}, {
		Name:    "wait_for",
		Group:   group,
		Phase:   Acting,
		Effect:  Talks | Waits | Checks,
		call:    waitFor,
		lead:    leadWaitFor,
		asks:    "wait until it says",
		verify:  (*call).oneCondition,
		Result:  Match,
		Returns: "struct: `text`, what matched, and `groups`, a list of strings",
		Params: []Param{on,
			{Name: "text", Kind: Text, Default: `""`, Doc: "what to wait for, literally"},
			{Name: "pattern", Kind: Pattern, Default: `""`, Doc: "or a regular expression (RE2)"},
			timeout("120")},
		Summary: "wait until a text appears on the console",
		Detail: "Give `text` or `pattern`, not both. The search goes on where the last match ended; what was " +
			"typed does not count as an answer.",
		Example: `send(alpine, "ssh root@" + address(debian))
wait_for(alpine, text = "password:")`,
	}, {
		Name:   "login",
		Group:  group,
		Phase:  Acting,
		Effect: Talks | Waits,
		call:   login,
		lead:   leadLogin,
		asks:   "log in as",
		Params: []Param{{Name: "machine", Kind: Entrance, Doc: "a machine of this mission, or a console of one"},
			{Name: "user", Kind: Text, Default: `""`, Doc: "as the console's declaration or the image says if not given"},
			{Name: "password", Kind: Text, Default: `""`, Doc: "likewise"},
			timeout("180")},
		Summary: "go through login and password prompts to a shell",
		Detail: "A console that is at a shell already is left there, unless somebody else has logged in: that " +
			"one leaves first.",
		Example: `login(debian, user = "root", password = "root")`,
	}, {
		Name:   "send",
		Group:  group,
		Phase:  Acting,
		Effect: Talks,
		call:   send,
		lead:   leadSend,
		asks:   "type",
		try:    trySend,
		Params: []Param{on,
			{Name: "text", Kind: Text, For: ForConsole, Doc: "what to type"},
			{Name: "enter", Kind: Boolean, Default: "True", Doc: "press Enter after it"}},
		Summary: "type a line",
		Detail: "Of several lines, each is typed when the console waits for it, and their output is one, without " +
			"the prompts in between.",
		Example: `send(router, "ip a")`,
	}, {
		Name:   "send_key",
		Group:  group,
		Phase:  Acting,
		Effect: Talks,
		call:   sendKey,
		lead:   leadSendKey,
		asks:   "press",
		verify: (*call).keyIsKnown,
		Params: []Param{on, {
			Name: "key",
			Kind: Text,
			Doc:  "one of " + keyWords() + ", or ctrl- and a letter",
		}},
		Summary: "press a key that is no text",
		Example: `send_key(debian, "ctrl-c")`,
	}, {
		Name:    "output",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		call:    output,
		lead:    leadOutput,
		Result:  Text,
		Returns: "string",
		Params:  []Param{on, timeout("60")},
		Summary: "what the machine printed since the last send",
		Detail: "Waits until the command has finished, that is, until a prompt is back. The echo of what was typed, escape sequences, kernel messages and the prompt itself are not part of it. " +
			"A line that looks like a prompt and is not the one that was there before (`Working # `) is taken for one after three seconds.",
		Example: `send(debian, "hostname")
assert_equal(output(debian).strip(), "os25")`,
	}}
}

func waitPrompt(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	match, err := c.talker("on").waitPrompt(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	return promptName(match.Prompt), nil
}

func promptName(kind console.PromptKind) starlark.String {
	return starlark.String(map[console.PromptKind]string{
		console.LoginPrompt: "login", console.PasswordPrompt: "password", console.ShellPrompt: "shell",
	}[kind])
}

// condition is what wait_for waits for.
func (c *call) condition() (console.Condition, error) {
	switch text, pattern := c.text("text"), c.text("pattern"); {
	case (text == "") == (pattern == ""):
		return console.Condition{}, fmt.Errorf("wait_for: give either text or pattern: %s", c.entry.Signature())
	case pattern != "":
		return console.Pattern(c.pattern("pattern")), nil
	default:
		return console.Text(text), nil
	}
}

func (c *call) oneCondition() error {
	_, err := c.condition()
	return err
}

func waitFor(c *call) (starlark.Value, error) {
	condition, err := c.condition()
	if err != nil {
		return nil, err
	}
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	match, err := terminal.Expect(ctx, condition)
	if err != nil {
		return nil, err
	}
	return matchValue(match), nil
}

func matchValue(match console.Match) starlark.Value {
	return record("match", starlark.StringDict{
		"text": starlark.String(match.Text), "groups": stringList(match.Groups),
	})
}

func login(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	c.acted(c.talker("machine").name(), c.text("user"))
	return nil, c.station("machine").Login(ctx, c.text("user"), c.text("password"))
}

func send(c *call) (starlark.Value, error) {
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	if s, ok := c.talker("on").(*seat); ok && s.config.User != "" && terminal.LastLine().Number == 0 {
		// Whoever is named there is logged in from the start, which takes a moment.
		if err := terminal.Ready(c.ctx); err != nil {
			return nil, err
		}
	}
	text := c.text("text")
	c.acted(c.talker("on").name(), text)
	if c.played() && c.student() {
		return nil, c.perform(terminal, text, c.boolean("enter"))
	}
	return nil, c.typeText(terminal, text, c.boolean("enter"))
}

// typeText types the lines of a text, each when the console waits again or has nothing
// more to say, with one output.
func (c *call) typeText(terminal *console.Console, text string, enter bool) error {
	return c.typeEach(terminal, text, enter, func(line string) error { return terminal.Type(c.ctx, line) })
}

// typeEach is typeText with another way to type a line.
func (c *call) typeEach(terminal *console.Console, text string, enter bool, typeLine func(string) error) error {
	all := lines(text)
	for i, line := range all {
		if i > 0 {
			if err := c.finish(c.ctx, terminal); err != nil {
				return err
			}
		}
		if enter || i < len(all)-1 {
			line += "\n"
		}
		if err := typeLine(line); err != nil {
			return err
		}
		if i > 0 {
			terminal.Join()
		}
	}
	return nil
}

// lines are what stands between the newlines of a text.
func lines(text string) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}

// keys are what a terminal sends for the keys that are no text (xterm's codes).
var keys = map[string]string{
	"enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " ",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
	"home": "\x1b[H", "end": "\x1b[F", "delete": "\x1b[3~", "page-up": "\x1b[5~", "page-down": "\x1b[6~",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~",
	"f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
	"ctrl-alt-delete": "\x1b[3;7~", // as PCs have it; only a machine with a screen hears it
}

func keyNames() []string { return slices.Sorted(maps.Keys(keys)) }

// keyWords are the names in words.
func keyWords() string {
	names := slices.DeleteFunc(keyNames(), func(name string) bool { return name[0] == 'f' })
	return strings.Join(names, ", ") + ", f1 to f12, alt-f1 to alt-f12"
}

// key returns what a terminal sends for the key.
func (c *call) key() ([]byte, error) {
	name := strings.ToLower(c.text("key"))
	code, ok := keys[name]
	if letter, isCtrl := strings.CutPrefix(name, "ctrl-"); isCtrl && len(letter) == 1 && letter[0] >= 'a' && letter[0] <= 'z' {
		code, ok = string(letter[0]-'a'+1), true
	}
	if function, isAlt := strings.CutPrefix(name, "alt-f"); isAlt && keys["f"+function] != "" {
		code, ok = withAlt(keys["f"+function]), true
	}
	if !ok {
		return nil, fmt.Errorf(
			"send_key: no key is called %q%s: there are %s, and ctrl- with a letter", name,
			Suggest(name, keyNames()), keyWords(),
		)
	}
	return []byte(code), nil
}

// withAlt is what a terminal sends for a function key with Alt.
func withAlt(code string) string {
	if letter, ok := strings.CutPrefix(code, "\x1bO"); ok {
		return "\x1b[1;3" + letter
	}
	return strings.TrimSuffix(code, "~") + ";3~"
}

func (c *call) keyIsKnown() error {
	_, err := c.key()
	return err
}

func sendKey(c *call) (starlark.Value, error) {
	code, err := c.key()
	if err != nil {
		return nil, err
	}
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	c.acted(c.talker("on").name(), c.text("key"))
	return nil, terminal.SendRaw(c.ctx, code)
}

func output(c *call) (starlark.Value, error) {
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	if c.looks != nil {
		return starlark.String(terminal.Output()), nil
	}
	ctx, cancel := c.within()
	defer cancel()
	if err := terminal.Finished(ctx); err != nil {
		return nil, err
	}
	return starlark.String(terminal.Output()), nil
}

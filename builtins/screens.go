package builtins

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/screen"
)

func screens() []Entry {
	const group = "Screens"
	picture := Param{
		Name: "picture", Kind: Text,
		Doc: "a PNG file of the mission's folder, as `screenshot` makes them, perhaps of a part; what is transparent in it does not count",
	}
	tolerance := Param{
		Name: "tolerance", Kind: Integer, Default: "0", Keyword: true,
		Doc: "by how much each of a pixel's red, green and blue may differ, of 255",
	}
	return []Entry{{
		Name:    "screen",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		call:    readScreen,
		Result:  Text,
		Returns: "string: its rows, without the blanks at their ends",
		Params:  []Param{m},
		Summary: "what stands on a machine's screen now",
		Detail: "Of a machine whose image has `display = \"vga\"`. `output` and `wait_for` read the same machine as a console, " +
			"in which what has scrolled off is still there. Of graphics it is one line that says so, `[graphics 640×480]`.",
		Example: `assert_contains(screen(pc), "Memtest86+")`,
	}, {
		Name:    "wait_screen",
		Group:   group,
		Phase:   Acting,
		Effect:  Waits | Checks,
		call:    waitScreen,
		lead:    leadWaitScreen,
		asks:    "wait until its screen shows",
		verify:  (*call).oneSight,
		Result:  Match,
		Returns: "struct: `text`, what matched, and `groups`, a list of strings",
		Params: []Param{m,
			{Name: "text", Kind: Text, Default: `""`, Doc: "what to wait for, literally, within a row"},
			{Name: "pattern", Kind: Pattern, Default: `""`, Doc: "or a regular expression (RE2) for the whole screen; `(?m)` has ^ and $ mean a row's ends"},
			hint, timeout("120")},
		Summary: "wait until a text stands on a machine's screen",
		Detail: "Give `text` or `pattern`, not both. What stands there already counts, and what a student or the script typed does, too: " +
			"it is the screen as it is, and not what was printed since.",
		Example: `send_key(pc, "f1")
wait_screen(pc, "Configuration")`,
	}, {
		Name:    "assert_picture",
		Group:   group,
		Phase:   Acting,
		Effect:  Waits | Checks,
		call:    assertPicture,
		lead:    leadAssertPicture,
		asks:    "wait until its screen shows",
		verify:  (*call).pictureIsSane,
		Result:  Place,
		Returns: "struct: `x`, `y`, `width`, `height` of where it is, in pixels",
		Params:  []Param{m, picture, tolerance, hint, timeout("60")},
		Summary: "check that a picture is somewhere on a machine's screen, or comes there in time",
		Detail: "If it does not, the error says where it would fit best and how well, and what was on the screen " +
			"is kept in the run's records. `labrun repl` helps to cut pictures out: docs/screens.md.",
		Example: `assert_picture(pc, "desktop.png", hint = "Close the window first.")`,
	}, {
		Name:   "click",
		Group:  group,
		Phase:  Acting,
		Effect: Talks,
		call:   click,
		verify: (*call).placeIsGiven,
		Params: []Param{m,
			{Name: "x", Kind: Integer, Default: "-1", Doc: "pixels from the screen's left edge"},
			{Name: "y", Kind: Integer, Default: "-1", Doc: "pixels from its upper edge"},
			{Name: "picture", Kind: Text, Default: `""`, Keyword: true, Doc: "or a PNG file of the mission's folder: its middle is clicked at, once it is on the screen"},
			tolerance, timeout("60")},
		Summary: "click at a place of a machine's screen",
		Detail: "With the left button, by a USB tablet, which the guest has to know; DOS does not. In guided mode labrun clicks: " +
			"a terminal has no mouse.",
		Example: `click(pc, picture = "ok.png")`,
	}, {
		Name:   "screenshot",
		Group:  group,
		Phase:  Acting,
		Effect: Looks,
		call:   screenshot,
		verify: (*call).pictureIsNamed,
		Params: []Param{m,
			{Name: "name", Kind: Text, Doc: "of the picture: letters, digits, hyphens"},
			{Name: "region", Kind: Anything, Default: "None", Keyword: true, Doc: "a part of the screen: (x, y, width, height) in pixels"}},
		Summary: "keep a picture of a machine's screen in the run's records",
		Detail:  "The report shows it. At the prompt of `labrun repl`, which has no records, it is put beside the mission, where `assert_picture` finds it.",
		Example: `screenshot(pc, "menu")`,
	}}
}

// sight is what a script waits for on a screen.
func (c *call) sight() (words string, match func(text string) []string, err error) {
	switch text, pattern := c.text("text"), c.text("pattern"); {
	case (text == "") == (pattern == ""):
		return "", nil, fmt.Errorf("wait_screen: give either text or pattern: %s", c.entry.Signature())
	case pattern != "":
		return "/" + pattern + "/", c.pattern("pattern").FindStringSubmatch, nil
	default:
		return fmt.Sprintf("%q", text), regexp.MustCompile(regexp.QuoteMeta(text)).FindStringSubmatch, nil
	}
}

func (c *call) oneSight() error {
	_, _, err := c.sight()
	return err
}

func readScreen(c *call) (starlark.Value, error) {
	now, err := c.guest("machine").Look(c.ctx)
	if err != nil {
		return nil, err
	}
	return starlark.String(now.Lines()), nil
}

// awaitSight waits until the screen holds something, within ctx; a task's check only looks. What is not
// there in time is an error of the check, if the check is what the script has it for.
func (c *call) awaitSight(ctx context.Context, want string, holds func(lab.Sight) bool) error {
	m := c.guest("machine")
	if c.looks != nil {
		now, err := m.Look(ctx)
		if err == nil && !holds(now) {
			err = c.check(false, want, fmt.Sprintf("%s is not on %s's screen: %s", want, m.Name(), now.Describe()), "")
		}
		return err
	}
	_, err := m.AwaitSight(ctx, want, holds)
	return err
}

func waitScreen(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	return c.waitScreen(ctx)
}

func (c *call) waitScreen(ctx context.Context) (starlark.Value, error) {
	want, match, err := c.sight()
	if err != nil {
		return nil, err
	}
	var groups []string
	err = c.awaitSight(ctx, want, func(now lab.Sight) bool {
		groups = match(now.Lines())
		return groups != nil
	})
	if err != nil {
		return nil, err
	}
	return record("match", starlark.StringDict{"text": starlark.String(groups[0]), "groups": stringList(groups[1:])}), nil
}

// needle reads the picture that is looked for.
func (c *call) needle() (*screen.Needle, error) {
	if err := c.pictureIsSane(); err != nil {
		return nil, err
	}
	name := c.text("picture")
	data, err := c.readFile(name)
	var needle *screen.Needle
	if err == nil {
		needle, err = screen.DecodeNeedle(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.entry.Name, name, err)
	}
	return needle, nil
}

func (c *call) pictureIsSane() error {
	if t := c.integer("tolerance"); t < 0 || t > 255 {
		return fmt.Errorf("%s: tolerance = %d: it is from 0 to 255", c.entry.Name, t)
	}
	if name := c.text("picture"); name != "" && path.Ext(name) != ".png" {
		return fmt.Errorf("%s: %q is no PNG file's name: pictures are called *.png", c.entry.Name, name)
	}
	return nil
}

// findPicture waits until the picture is on the screen, and returns where.
func (c *call) findPicture(ctx context.Context) (image.Rectangle, error) {
	needle, err := c.needle()
	if err != nil {
		return image.Rectangle{}, err
	}
	var at image.Point
	var likeness float64
	var last lab.Sight
	name, tolerance := c.text("picture"), c.integer("tolerance")
	holds := func(now lab.Sight) bool {
		last = now
		at, likeness = now.Picture.Find(needle, tolerance)
		return likeness == 1
	}
	m := c.guest("machine")
	if c.looks != nil {
		var now lab.Sight
		if now, err = m.Look(ctx); err == nil && !holds(now) {
			err = c.check(false, name, fmt.Sprintf("%s is not on %s's screen", name, m.Name()), "")
		}
	} else if _, err = m.AwaitSight(ctx, name, holds); err != nil && errors.Is(err, context.DeadlineExceeded) && last.Picture != nil {
		err = c.check(false, name, fmt.Sprintf("%s is not on %s's screen%s", name, m.Name(), c.nearest(last, at, likeness)), "")
	}
	return image.Rectangle{at, at.Add(image.Pt(needle.Width, needle.Height))}, err
}

// nearest says where a picture that is not on the screen would fit best, and keeps what is there.
func (c *call) nearest(last lab.Sight, at image.Point, likeness float64) string {
	text := ", which is smaller"
	if likeness > 0 {
		text = fmt.Sprintf("; it fits best at x = %d, y = %d, where %.1f %% of its pixels are the same", at.X, at.Y, 100*likeness)
	}
	name := strings.TrimSuffix(path.Base(c.text("picture")), ".png")
	if kept, err := c.lab.KeepPicture(name+"-seen", last.Picture); err == nil && kept != "" {
		text += "; what was seen is in " + kept
	}
	return text + "; " + last.Describe()
}

func assertPicture(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	return c.assertPicture(ctx)
}

func (c *call) assertPicture(ctx context.Context) (starlark.Value, error) {
	found, err := c.findPicture(ctx)
	if err != nil {
		return nil, err
	}
	return record("place", starlark.StringDict{
		"x": starlark.MakeInt(found.Min.X), "y": starlark.MakeInt(found.Min.Y),
		"width": starlark.MakeInt(found.Dx()), "height": starlark.MakeInt(found.Dy()),
	}), c.check(true, c.text("picture"), "", "")
}

func (c *call) placeIsGiven() error {
	if err := c.pictureIsSane(); err != nil {
		return err
	}
	x, y := c.integer("x"), c.integer("y")
	if _, given := c.value("x"); (c.text("picture") == "") != given || given && (x < 0 || y < 0) {
		return fmt.Errorf("click: give x and y, from 0 on, or a picture: %s", c.entry.Signature())
	}
	return nil
}

func click(c *call) (starlark.Value, error) {
	if err := c.placeIsGiven(); err != nil {
		return nil, err
	}
	x, y := c.integer("x"), c.integer("y")
	where := fmt.Sprintf("%d,%d", x, y)
	if name := c.text("picture"); name != "" {
		ctx, cancel := c.within()
		found, err := c.findPicture(ctx)
		cancel()
		if err != nil {
			return nil, err
		}
		x, y, where = (found.Min.X+found.Max.X)/2, (found.Min.Y+found.Max.Y)/2, name
	}
	c.acted(c.machine("machine").name(), where)
	return nil, c.guest("machine").Click(c.ctx, x, y)
}

var pictureName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (c *call) pictureIsNamed() error {
	if name := strings.TrimSuffix(c.text("name"), ".png"); !pictureName.MatchString(name) {
		return fmt.Errorf("screenshot: %q cannot be a picture's name: use letters, digits and hyphens", name)
	}
	_, _, err := c.region()
	return err
}

// region is the part of the screen that is wanted; all of it if none is given.
func (c *call) region() (part image.Rectangle, given bool, err error) {
	v, ok := c.value("region")
	if !ok || v == starlark.None {
		return part, false, nil
	}
	var numbers [4]int
	items, ok := elements(v)
	ok = ok && len(items) == len(numbers)
	for i := 0; ok && i < len(numbers); i++ {
		n, err := starlark.AsInt32(items[i])
		numbers[i], ok = n, err == nil && n >= 0 && (i < 2 || n > 0)
	}
	if !ok {
		return part, false, fmt.Errorf("screenshot: region = %s: it is (x, y, width, height) in pixels", v)
	}
	corner := image.Pt(numbers[0], numbers[1])
	return image.Rectangle{corner, corner.Add(image.Pt(numbers[2], numbers[3]))}, true, nil
}

func screenshot(c *call) (starlark.Value, error) {
	if err := c.pictureIsNamed(); err != nil {
		return nil, err
	}
	part, given, err := c.region()
	if err != nil {
		return nil, err
	}
	m := c.guest("machine")
	now, err := m.Look(c.ctx)
	if err != nil {
		return nil, err
	}
	picture := now.Picture
	if given {
		if !part.In(picture.Bounds()) {
			return nil, fmt.Errorf("screenshot: region %v reaches beyond %s's screen, which has %d×%d pixels",
				part, m.Name(), picture.Width, picture.Height)
		}
		picture = picture.Part(part)
	}
	name := strings.TrimSuffix(c.text("name"), ".png")
	file, err := c.lab.KeepPicture(name, picture)
	if err != nil || file == "" || c.looks != nil {
		return nil, err
	}
	c.events.Emit(event.Pictured{Machine: m.Name(), Name: name, File: filepath.Base(file)})
	return nil, nil
}

// leadWaitScreen has the student bring the screen to what is wanted.
func leadWaitScreen(c *call) (value starlark.Value, err error) {
	if err := c.oneSight(); err != nil {
		return nil, err
	}
	return c.leadSight(waitScreen, func(ctx context.Context) error {
		value, err = c.waitScreen(ctx)
		return err
	}, &value)
}

func leadAssertPicture(c *call) (value starlark.Value, err error) {
	if _, err := c.needle(); err != nil {
		return nil, err
	}
	return c.leadSight(assertPicture, func(ctx context.Context) error {
		value, err = c.assertPicture(ctx)
		return err
	}, &value)
}

// leadSight has the student do what leads to something on a screen: what was asked for before, if anything.
func (c *call) leadSight(
	itself func(*call) (starlark.Value, error), watch func(context.Context) error, value *starlark.Value,
) (starlark.Value, error) {
	name := c.machine("machine").name()
	terminal, err := c.machine("machine").console(c.Session)
	if err != nil {
		return nil, err
	}
	asked := c.led.pending[terminal]
	i := c.untilSeen(name, asked)
	if hint := c.hint(); hint != "" {
		i.Hints = append([]guide.Text{c.translation(c.text("hint"))}, i.Hints...)
	}
	done, err := c.instruct(i, watch)
	if err != nil {
		return nil, err
	}
	delete(c.led.pending, terminal)
	c.led.used[terminal] = terminal.LastLine().Number
	if done {
		return *value, nil
	}
	if asked != nil {
		if err := c.typeFor(terminal, asked.want); err != nil {
			return nil, err
		}
	}
	return itself(c)
}

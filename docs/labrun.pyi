# What a labrun mission can call, for editors that know Python. Made from the table in
# package builtins by `labrun doc --stubs`; edit it there. docs/editors.md says how to use it.

from typing import Any, Callable

class Machine:
    """A virtual machine of the mission"""
    name: str  # what it is called
    image: str  # what it boots, from images.lock

class Console:
    """A console of a machine, besides its own"""
    name: str  # what it is called: `debian/niko`
    machine: Machine  # whose it is
    user: str  # who is logged in there from the start

class Network:
    """An Ethernet network of the mission"""
    name: str  # what it is called

class Uplink:
    """A network card's way out of the lab"""

class Terminal:
    """A shell on the host"""

class Match:
    """What wait_for or wait_screen has found"""
    text: str  # what matched
    groups: list[str]  # the groups of the regular expression

class Place:
    """Where something is on a screen, in pixels"""
    x: int  # from the left edge to its own left edge
    y: int  # from the upper edge to its own upper edge
    width: int  # its width
    height: int  # its height

class Result:
    """How a command ended"""
    status: int  # its exit status
    stdout: str  # its output
    stderr: str  # its error messages
    seconds: float  # how long it took

class Stats:
    """What a machine costs its host"""
    cpus: int  # virtual CPUs
    cpu_seconds: float  # processor time used since boot
    memory: int  # MiB promised
    resident: int  # MiB in use
    seconds: float  # since boot
    waited: Any  # seconds for which its CPUs were ready to run and no real one was free; None if that is not known

class Load:
    """What the computer's CPUs have done since it was started, in seconds"""
    cpu_seconds: float  # they worked
    others: float  # of these for programs that are no part of the lab
    stolen: float  # wanted, and given to others by the host of this virtual computer

class Lease:
    """An address that a router has lent"""
    num: int  # its number
    addr: str  # the IPv4 address
    hardware_addr: str  # of the card that has it
    hostname: str  # what the machine calls itself
    hostname_override: str  # what the router calls it instead
    expiry: str  # when the loan ends
    last_ack: str  # when it was last agreed on

class Packet:
    """A packet that has crossed a network"""
    time: float  # seconds since the network's first packet
    protocol: str  # the innermost one that was understood
    operation: str  # what it is for, in the words of its protocol
    source: str  # the sender's IP address; of ARP, whose address it is
    target: str  # the receiver's IP address; of ARP, the one asked for
    source_mac: str  # the sending card
    target_mac: str  # the receiving card, or ff:ff:ff:ff:ff:ff for all
    source_port: int  # of TCP and UDP
    target_port: int  # likewise
    client_mac: str  # of DHCP: the card that wants an address
    your_ip: str  # of DHCP: the address that is offered or given
    size: int  # in bytes

def load(file: str, *names: str, **renamed: str) -> None:
    """Take names from another file of the mission's folder: load("./file.star", "name")."""

def mission(title: str, api: int, minutes: int = 0, needs: list[str] = [], language: str = "en") -> None:
    r'''Name the mission; the first line of every script.

    title: what the lab is called
    api: the version of these builtins that the script is written for: 1
    minutes: how long a student will need
    needs: `"host"` if the mission opens a shell on the host
    language: the language that the script is written in; translations are files beside it

        mission(title = "Your First Week", api = 1, minutes = 30)
    '''

def network(name: str) -> Network:
    r'''Declare an Ethernet network of the lab.

    It is a switch inside labrun: no rights on the host are needed, and nothing outside the lab sees it.

    name: a word of letters, digits and hyphens
    returns network

        lan = network("lan")
    '''

def uplink(name: str = "uplink") -> Uplink:
    r'''A network card's way out of the lab, for a machine's `nics`.

    The guest sees QEMU's user-mode network: 10.0.2.0/24 with DHCP, DNS and NAT.

    name: what the guest calls that card; for the reader
    returns uplink

        router = machine("router7", nics = [uplink("uplink0"), lan])
    '''

def machine(name: str, image: str = "", nics: list[Network | Uplink] = [], memory: int = 0, cpus: int = 0, hostname: str = "", *, kernel: str = "", initrd: str = "", cmdline: str = "", arch: str = "", packages: list[str] = [], files: dict[str, str | tuple[str, str]] = {}, setup: str = "", source: str = "", build: str = "") -> Machine:
    r'''Declare a virtual machine.

    The value has the fields `name` and `image`. `labrun images show IMAGE` tells what is in it, and which cards it expects: a router's first one leads outside, to an uplink or to a network, and its second one is where it serves.

    With `packages`, `files` or `setup` an image is made of the other one, once, in less than a minute, and kept: [authoring.md](authoring.md#a-machine-made-for-the-lab) tells how.

    With a `kernel` of your own the machine needs no image: [processors.md](processors.md#a-kernel-of-your-own) tells how such a kernel is built, booted and checked.

    name: a word of letters, digits and hyphens
    image: what it boots, from images.lock; the same as its name if not given
    nics: its network cards, in order: networks and uplinks
    memory: MiB; as the image says if not given
    cpus: virtual CPUs; as the image says if not given
    hostname: what it calls itself at its prompts; as the image does if not given
    kernel: a kernel of your own instead of the image's: a file beside the script, or in `source`
    initrd: its first file system, likewise
    cmdline: what that kernel is told; as the image says if not given
    arch: the processor, of a machine with a kernel of your own: x86_64, i386, aarch64, arm, riscv64, riscv32, ppc64le
    packages: packages of Debian's that its image has besides, such as `"gcc"`, or `"gcc=4:12.2.0-3"`
    files: files and folders that its image has besides: a path in the guest, and one of the script's folder, or `(path, "user:group")`
    setup: a shell script of the script's folder that is run as root, once, while that image is made
    source: a folder beside the script with the kernel's sources: each student gets a copy
    build: the shell command that makes the kernel, such as `"make"`: in the student's copy, or where the script lies
    returns machine

        debian = machine("debian", nics = [lan])
        workshop = machine("workshop", image = "debian", packages = ["sudo", "gcc"], files = {"/opt/lab": "./pack"}, setup = "./install.sh")
        board = machine("board", arch = "riscv64", source = "tiny", build = "make", kernel = "kernel.elf")
    '''

def step(function: Callable[[], object]) -> None:
    r'''Make a function the mission's next step.

    function: a function without parameters; the first line of its docstring is the step's title, the rest its narration in Markdown

        def meet_the_router():
            """Meet the router"""
            boot(router)
            wait_prompt(router)

        step(meet_the_router)
    '''

def challenge(function: Callable[[], object], *, setup: Callable[[], object] | None = None) -> None:
    r'''Make a function the mission's next challenge.

    Challenges that follow one another are a board: a student takes them in any order, leaves one and comes back to it, and resets one. Played by labrun they come in the order of the script, or with `--shuffle` in another. What all of them use, such as a machine that is on, a step before them has to do. A `setup` removes first what an earlier playing may have left: it must be able to begin anew, and it touches nothing of the other challenges.

    function: as a step's: the first line of its docstring is the challenge's title, the rest its narration
    setup: a function without parameters with what has to be there first: labrun plays it, unseen, when the challenge is entered for the first time, and again when it is reset

        def lock_the_note():
            run(debian, "echo secret > /srv/note; chmod 644 /srv/note", check = True)

        def only_yours():
            return run(debian, "stat -c %a /srv/note").stdout.strip() == "600"

        def keep_it_private():
            """Keep it private"""
            task(debian, "Let nobody but root read /srv/note.", solution = "chmod 600 /srv/note", check = only_yours)

        challenge(keep_it_private, setup = lock_the_note)
    '''

def variant(name: str, values: list[str] | list[int] | range) -> Any:
    r'''Draw one of several values for the student who plays.

    It is drawn of the student's ID (`--student`), the course's key (`--course-key`), the mission's name and this one, so it is the same each time. In a narration, a task, a hint and all else that the reader sees, and in translations of it, `{port}` stands for the value of `variant("port", …)`. `labrun test --variants 20` proves that other draws can be solved, too: [authoring.md](authoring.md#another-one-for-each-student).

    name: small letters, digits and `_`; texts for the reader have the value as `{name}`
    values: strings or whole numbers, one of which it is
    returns one of the values

        port = variant("port", range(8000, 9000))
    '''

def secret(name: str) -> str:
    r'''Draw a text that the student who plays has to find.

    It is drawn as `variant` draws, and another one for each student. What labrun itself records has its name in its place, `{flag}`. Who can read the course's key can work it out.

    name: small letters, digits and `_`; texts for the reader have the value as `{name}`
    returns string: 20 small letters and digits, none of which is taken for another one

        flag = secret("flag")

        def hide_the_flag():
            write_file(debian, "/root/flag", flag + "\n")
    '''

def console(machine: Machine, name: str, *, user: str = "", played: bool = False) -> Console:
    r'''One more console of a machine, for another person or another shell.

    It stands wherever a machine's own console can: in `send`, `task`, `assert_contains` … A student opens it with `labrun attach debian/niko`, and in the page it has a tab of its own. A machine may have 8 of them.

    Where there is no such user yet, the console says so, and lets them in as soon as a set-up has made them and nothing of users and groups has changed for two seconds; `login` waits for that. Who gets other groups later has them after the next login: `send(niko, "exit")`.

    machine: whose console it is
    name: a word of letters, digits and hyphens: the console is called `MACHINE/NAME`
    user: who is logged in there from the start, without a password, and again after each logout; a login prompt waits there if not given
    played: labrun plays that person, in guided mode, too: what the script types there is typed before the student's eyes, and the student looks on
    returns console

        debian = machine("debian")
        niko = console(debian, "niko", user = "niko")
    '''

def pack(folder: str, on: Machine | Console) -> list[str]:
    r'''Make a folder of scripts the mission's next challenges.

    The folder stays as its author wrote it: a folder for each challenge, with `check.sh`, `setup.sh`, `README.md`, `hints.md`, `answer.sh` and `wrong-*.sh`; a scenario of Killercoda (`index.json`); or a track of Instruqt (`track.yml`), whose steps come in their order. Its scripts run in the machine as root, and nothing of them is there while a student types. [packs.md](packs.md) tells what is read, and how.

    folder: beside the script, such as `"./lab"`
    on: where the student sits: a machine, or one of its consoles
    returns list of strings: the names of the challenges

        pack("./lab", on = debian)
    '''

def boot(*machines: Machine, student: bool = True) -> None:
    r'''Start machines, side by side.

    Returns as soon as the machines run; their systems boot on, and whatever waits for them waits. A machine that runs already is left alone.

    machines: the machines to start
    student: in guided mode, have the student switch them on; False: labrun does, for machines that are not what the lab is about

        boot(debian, alpine)
    '''

def shutdown(machine: Machine, *, timeout: float | str = 60) -> None:
    r'''Press a machine's power button and wait until it is off.

    What it wrote to its disk is still there when it is booted again in the same run.

    machine: a machine of this mission
    timeout: how long to wait: seconds, or a string such as `"2m"`

        shutdown(alpine)
    '''

def reboot(machine: Machine, *, timeout: float | str = 60) -> None:
    r'''Shut a machine down and boot it again.

    The time-out is for the shutdown; like boot, it returns when the machine runs again.

    machine: a machine of this mission
    timeout: how long to wait: seconds, or a string such as `"2m"`

        reboot(debian)
    '''

def boot_from(machine: Machine, content: Any, *, timeout: float | str = 60) -> None:
    r'''Put something at the beginning of a machine's disk, such as a boot sector, and press its reset button.

    For a machine that is on, has a screen, and boots from its disk. It returns when the screen stands still. A machine that has booted from just this already is left alone, so a task's check may call it and then look at the screen: whatever a student has made is booted once. A task's check may call it. There, let the command only look, too: labrun cannot know what it does.

    machine: a machine of this mission
    content: what is to be there: bytes or a string
    timeout: how long to wait: seconds, or a string such as `"2m"`

        boot_from(pc, read_file(debian, "/root/boot.bin"))
    '''

def wait_prompt(on: Machine | Console | Terminal, *, timeout: float | str = 180) -> str:
    r'''Wait until the console waits for input.

    That is: a login, password or shell prompt that was printed after what was last typed. A console that stays silent is sent Enter, except at a password prompt.

    on: a machine, a console of one, or a terminal of the host
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns string: `login`, `password` or `shell`

        boot(router)
        wait_prompt(router)
    '''

def wait_for(on: Machine | Console | Terminal, text: str = "", pattern: str = "", *, timeout: float | str = 120) -> Match:
    r'''Wait until a text appears on the console.

    Give `text` or `pattern`, not both. The search goes on where the last match ended; what was typed does not count as an answer.

    on: a machine, a console of one, or a terminal of the host
    text: what to wait for, literally
    pattern: or a regular expression (RE2)
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns struct: `text`, what matched, and `groups`, a list of strings

        send(alpine, "ssh root@" + address(debian))
        wait_for(alpine, text = "password:")
    '''

def login(machine: Machine | Console, user: str = "", password: str = "", *, timeout: float | str = 180) -> None:
    r'''Go through login and password prompts to a shell.

    A console that is at a shell already is left there, unless somebody else has logged in: that one leaves first.

    machine: a machine of this mission, or a console of one
    user: as the console's declaration or the image says if not given
    password: likewise
    timeout: how long to wait: seconds, or a string such as `"2m"`

        login(debian, user = "root", password = "root")
    '''

def send(on: Machine | Console | Terminal, text: str, enter: bool = True) -> None:
    r'''Type a line.

    Of several lines, each is typed when the console waits for it, and their output is one, without the prompts in between.

    on: a machine, a console of one, or a terminal of the host
    text: what to type
    enter: press Enter after it

        send(router, "ip a")
    '''

def send_key(on: Machine | Console | Terminal, key: str) -> None:
    r'''Press a key that is no text.

    on: a machine, a console of one, or a terminal of the host
    key: one of backspace, ctrl-alt-delete, delete, down, end, enter, escape, home, left, page-down, page-up, right, space, tab, up, f1 to f12, alt-f1 to alt-f12, or ctrl- and a letter

        send_key(debian, "ctrl-c")
    '''

def output(on: Machine | Console | Terminal, *, timeout: float | str = 60) -> str:
    r'''What the machine printed since the last send.

    Waits until the command has finished, that is, until a prompt is back. The echo of what was typed, escape sequences, kernel messages and the prompt itself are not part of it. A line that looks like a prompt and is not the one that was there before (`Working # `) is taken for one after three seconds. A task's check may call it.

    on: a machine, a console of one, or a terminal of the host
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns string

        send(debian, "hostname")
        assert_equal(output(debian).strip(), "os25")
    '''

def screen(machine: Machine) -> str:
    r'''What stands on a machine's screen now.

    Of a machine whose image has `display = "vga"`. `output` and `wait_for` read the same machine as a console, in which what has scrolled off is still there. Of graphics it is one line that says so, `[graphics 640×480]`. A task's check may call it.

    machine: a machine of this mission
    returns string: its rows, without the blanks at their ends

        assert_contains(screen(pc), "Memtest86+")
    '''

def wait_screen(machine: Machine, text: str = "", pattern: str = "", *, hint: str = "", timeout: float | str = 120) -> Match:
    r'''Wait until a text stands on a machine's screen.

    Give `text` or `pattern`, not both. What stands there already counts, and what a student or the script typed does, too: it is the screen as it is, and not what was printed since. A task's check may call it.

    machine: a machine of this mission
    text: what to wait for, literally, within a row
    pattern: or a regular expression (RE2) for the whole screen; `(?m)` has ^ and $ mean a row's ends
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns struct: `text`, what matched, and `groups`, a list of strings

        send_key(pc, "f1")
        wait_screen(pc, "Configuration")
    '''

def assert_picture(machine: Machine, picture: str, *, tolerance: int = 0, hint: str = "", timeout: float | str = 60) -> Place:
    r'''Check that a picture is somewhere on a machine's screen, or comes there in time.

    If it does not, the error says where it would fit best and how well, and what was on the screen is kept in the run's records. `labrun repl` helps to cut pictures out: docs/screens.md. A task's check may call it.

    machine: a machine of this mission
    picture: a PNG file of the mission's folder, as `screenshot` makes them, perhaps of a part; what is transparent in it does not count
    tolerance: by how much each of a pixel's red, green and blue may differ, of 255
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns struct: `x`, `y`, `width`, `height` of where it is, in pixels

        assert_picture(pc, "desktop.png", hint = "Close the window first.")
    '''

def click(machine: Machine, x: int = -1, y: int = -1, *, picture: str = "", tolerance: int = 0, timeout: float | str = 60) -> None:
    r'''Click at a place of a machine's screen.

    With the left button, by a USB tablet, which the guest has to know; DOS does not. In guided mode labrun clicks: a terminal has no mouse.

    machine: a machine of this mission
    x: pixels from the screen's left edge
    y: pixels from its upper edge
    picture: or a PNG file of the mission's folder: its middle is clicked at, once it is on the screen
    tolerance: by how much each of a pixel's red, green and blue may differ, of 255
    timeout: how long to wait: seconds, or a string such as `"2m"`

        click(pc, picture = "ok.png")
    '''

def screenshot(machine: Machine, name: str, *, region: Any | None = None) -> None:
    r'''Keep a picture of a machine's screen in the run's records.

    The report shows it. At the prompt of `labrun repl`, which has no records, it is put beside the mission, where `assert_picture` finds it. A task's check may call it.

    machine: a machine of this mission
    name: of the picture: letters, digits, hyphens
    region: a part of the screen: (x, y, width, height) in pixels

        screenshot(pc, "menu")
    '''

def assert_contains(subject: Machine | Console | Terminal | str, *texts: str, hint: str = "", timeout: float | str = 60) -> None:
    r'''Check that texts are in an output or a string.

    On a machine, the check waits until the command has finished, or until what it wants is there. A task's check may call it.

    subject: a machine, console or terminal, for its output since the last send; or a string
    texts: all of these must be in it
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`

        send(router, "ip a")
        assert_contains(router, "uplink0", "lan0", hint = "Try ip a once more.")
    '''

def assert_match(subject: Machine | Console | Terminal | str, pattern: str, *, hint: str = "", timeout: float | str = 60) -> list[str]:
    r'''Check that a regular expression matches, and return what it found.

    On a machine, the check waits until the command has finished, or until what it wants is there. A task's check may call it.

    subject: a machine, console or terminal, for its output since the last send; or a string
    pattern: a regular expression (RE2)
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns list of strings: the whole match and its groups

        address = assert_match(debian, r"inet (10\.254\.0\.\d+)")[1]
    '''

def assert_equal(got: Any, want: Any, *, hint: str = "") -> None:
    r'''Check that two values are equal.

    A task's check may call it.

    got: what there is
    want: what there should be
    hint: what to tell the reader if the check fails

        assert_equal(run(debian, "hostname").stdout.strip(), "os25")
    '''

def assert_true(condition: object, message: str = "", *, hint: str = "") -> None:
    r'''Check that a condition holds.

    A task's check may call it.

    condition: what must hold
    message: what it means if it does not
    hint: what to tell the reader if the check fails

        assert_true(len(leases) == 2, "two machines have a lease")
    '''

def fail(message: str, *, hint: str = "") -> None:
    r'''Fail the step.

    A task's check may call it.

    message: what is wrong
    hint: what to tell the reader if the check fails

        fail("the router gave no lease")
    '''

def task(on: Machine | Console | Terminal, prompt: str, *, solution: str | Callable[[], object], check: Callable[[], object], hints: list[str] = [], wrong: list[str | Callable[[], object] | tuple[str | Callable[[], object], str]] = [], timeout: float | str = 60) -> None:
    r'''A goal that any right way leads to.

    labrun types the solution itself and then checks. A student is shown the goal and finds a way of their own: the check is made again and again until it holds, so it may only look: what it may call says so here, and `labrun check` and the run refuse all else. The time-out is for labrun's own solution.

    on: a machine, a console of one, or a terminal of the host
    prompt: the goal, in Markdown
    solution: one way to it: lines to type on that console, each when it waits for input, be it at a prompt or at a question such as `(yes/no)?`; or a function that does it
    check: a function without parameters that looks whether the goal is reached: it returns True or None if so, and False, or fails a check, if not
    hints: in Markdown, from a nudge to nearly the answer; the solution itself is the last one
    wrong: answers that must not do, each like a solution, lines or a function, or with why it must fail: `("chmod 644 note", "others can read")`; `labrun test` tries them, and finds those words in what the student is told, or in what the check says
    timeout: how long to wait: seconds, or a string such as `"2m"`

        def quotes_are_kept():
            assert_contains(read_file(debian, "/root/notes"), "\"hello\"", hint = "Put single quotes around it.")

        def write_a_note():
            """Write a note"""
            task(
                debian,
                "Write a file /root/notes that has the word \"hello\" with its quotation marks.",
                solution = "echo '\"hello\"' > /root/notes",
                check = quotes_are_kept,
                hints = ["echo prints, and > sends it into a file."],
                wrong = [("echo \"hello\" > /root/notes", "single quotes"), "echo hello"],
            )
    '''

def edit(machine: Machine, file: str, old: str, new: str) -> None:
    r'''Change the source of a machine's own kernel.

    For the solution of a task: students do it with their editor. A file that has the new text already stays as it is. The task then builds and boots the kernel.

    machine: a machine of this mission
    file: a file of its kernel's sources
    old: a text that is in it once
    new: what stands there instead

        def solve():
            edit(board, "kernel.c", old = "Hello, world", new = "Hello, Nini")
    '''

def run(machine: Machine, command: str, check: bool = False, *, hint: str = "", timeout: float | str = 60) -> Result:
    r'''Run a command on the control channel, which no student sees.

    A command that is still running when its time is up is ended; its output, 8 MiB at most, may take longer to arrive. On an image without a control channel the console is used as soon as a shell prompt waits there with nothing typed at it; nobody at the console sees that, and what they type meanwhile waits. A task's check may call it. There, let the command only look, too: labrun cannot know what it does.

    machine: a machine of this mission
    command: for the guest's `sh`, as root, in root's home
    check: fail the step if the status is not 0
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns struct: `status`, `stdout`, `stderr`, `seconds`; it counts as true if the status is 0

        assert_equal(run(debian, "id -un").stdout, "root\n")
    '''

def read_file(machine: Machine, path: str, *, timeout: float | str = 60) -> str | bytes:
    r'''Read a file of the guest, 8 MiB at most.

    A task's check may call it.

    machine: a machine of this mission
    path: an absolute path in the guest
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns string, or bytes if it is no UTF-8

        assert_contains(read_file(alpine, "/etc/os-release"), "Alpine")
    '''

def write_file(machine: Machine, path: str, content: Any, mode: int = 420, *, timeout: float | str = 60) -> None:
    r'''Write a file of the guest, 8 MiB at most.

    It appears whole or not at all.

    machine: a machine of this mission
    path: an absolute path in the guest
    content: a string or bytes
    mode: permissions; 420 is 0o644
    timeout: how long to wait: seconds, or a string such as `"2m"`

        write_file(debian, "/root/hello.sh", "echo hello\n", mode = 0o755)
    '''

def put(machine: Machine, file: str, path: str, *, owner: str = "", timeout: float | str = 60) -> None:
    r'''Copy a file or folder to the guest, 8 MiB at most.

    Modes stay; links stay if they lead to something within the folder. Folders that are there already stay as they are, and so does what else is in them. What the machine is to have in every run stands better in `machine(…, files = …)`, which costs no time then.

    machine: a machine of this mission
    file: a file or folder of the script's folder
    path: what it is called in the guest, an absolute path
    owner: `"user"` or `"user:group"`; root if not given
    timeout: how long to wait: seconds, or a string such as `"2m"`

        put(debian, "./notes.txt", "/home/niko/notes.txt", owner = "niko:niko")
    '''

def read_json(machine: Machine, path: str, *, timeout: float | str = 60) -> Any:
    r'''Read a JSON file of the guest.

    A task's check may call it.

    machine: a machine of this mission
    path: an absolute path in the guest
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns dict, list, string, number, bool or None

        leases = read_json(router, "/perm/dhcp4d/leases.json")
    '''

def address(machine: Machine, network: Network | None = None, *, timeout: float | str = 120) -> str:
    r'''A machine's IPv4 address; waits until it has one.

    A machine with a control channel is asked. Of any other it is what the network has heard and its card answers to now; only where that tells nothing is it asked at its console. A task's check may call it.

    machine: a machine of this mission
    network: which of its networks; the first if not given
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns string

        send(alpine, "ping -c 1 " + address(debian))
    '''

def read_leases(router: Machine, wait_for: list[Machine] = [], *, hint: str = "", timeout: float | str = 120) -> list[Lease]:
    r'''The DHCP leases a router has given.

    A task's check may call it.

    router: a machine whose image keeps a lease file
    wait_for: wait until all of these have a lease
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns list of structs: `num`, `addr`, `hardware_addr`, `hostname`, `hostname_override`, `expiry`, `last_ack`

        for lease in read_leases(router, wait_for = [debian, alpine]):
            say(lease.hostname + " has " + lease.addr)
    '''

def mac(machine: Machine, network: Network | None = None) -> str:
    r'''The hardware address of a machine's network card.

    A task's check may call it.

    machine: a machine of this mission
    network: which of its networks; the first if not given
    returns string

        assert_contains(output(router), mac(debian))
    '''

def unplug(machine: Machine, network: Network | None = None) -> None:
    r'''Pull the cable out of a machine's network card.

    The machine sees that its card has lost its carrier. Nobody asks a student to do it: it happens to them. Put the cable back in the same step: a machine that is started again has all its cables in.

    machine: a machine of this mission
    network: which of its networks; the first if not given

        unplug(debian)
        assert_true(run(alpine, "ping -c 1 -W 2 " + peer).status != 0, "debian is cut off")
        plug(debian)
    '''

def plug(machine: Machine, network: Network | None = None) -> None:
    r'''Put the cable back that unplug has pulled out.

    machine: a machine of this mission
    network: which of its networks; the first if not given

        plug(debian)
    '''

def packets(network: Network, protocol: str = "", skip: int = 0, count: int = 0, *, hint: str = "", timeout: float | str = 30) -> list[Packet]:
    r'''What has crossed a network since the lab's first boot.

    Each packet once, in the order in which the switch got them. `operation` is a DHCP message's type (`discover`, `offer`, `request`, `ack` …), `request` or `reply` of ARP, DNS and of pings, or TCP's flags (`syn`, `syn ack`). Of ARP, `source` is whose address it is and `target` the one asked for. `client_mac` and `your_ip` are DHCP's. What a packet has not is empty or 0. To look at what comes from now on, remember how many there are: `before = len(packets(lan))`. Of each network the first 100000 packets are kept, or the first 64 MiB: if a storm fills that, a notice says so, and later ones are not seen. A task's check may call it.

    network: the network to look at
    protocol: only these: one of arp, dhcp, dns, icmp, icmpv6, ip, ipv6, other, tcp, udp
    skip: leave out so many of the network's first packets, of any protocol
    count: wait until there are so many, and fail if they do not come
    hint: what to tell the reader if the check fails
    timeout: how long to wait: seconds, or a string such as `"2m"`
    returns list of structs: `time`, `protocol`, `operation`, `source`, `target`, `source_mac`, `target_mac`, `source_port`, `target_port`, `client_mac`, `your_ip`, `size`

        boot(debian)
        for p in packets(lan, protocol = "dhcp", count = 4):
            say("%s: %s" % (p.client_mac, p.operation))
    '''

def say(text: str) -> None:
    r'''Tell the reader something.

    text: a word in between

        say("Debian is at " + address(debian))
    '''

def tr(text: str) -> str:
    r'''A text in the reader's language.

    Titles, narrations, hints, questions, answers, tasks and what `say` says are translated by themselves. This is for texts that are put together.

    text: as it is in the translations
    returns string

        say(tr("%s runs Linux %s") % (debian.name, kernel))
    '''

def ask(question: str, choices: list[str] = [], answer: str = "", *, explain: str = "") -> str:
    r'''Ask the reader a question.

    When labrun plays the mission itself, the answer is given and shown.

    question: something to think about
    choices: possible answers; none: an open question
    answer: the right choice, or an answer to compare one's own with
    explain: why that is so, for after the answer
    returns string: the answer

        ask("Who gave Debian its address?", choices = ["Debian", "the router"], answer = "the router")
    '''

def stats(machine: Machine) -> Stats:
    r'''What a machine costs its host.

    `waited` tells whether a machine was slow because it had to share: it is of all its virtual CPUs together, and `None` where this computer's kernel does not count it. A task's check may call it.

    machine: a machine of this mission
    returns struct: `cpus`, virtual; `cpu_seconds`, processor time used since boot; `memory`, MiB promised; `resident`, MiB in use; `seconds`, since boot; `waited`, seconds for which its CPUs were ready to run and no real one was free

        before = stats(debian).cpu_seconds
    '''

def host_cpus() -> int:
    r'''How many real CPUs this run may use, container limits included.

    A task's check may call it.

    returns int

        say("%d CPUs" % host_cpus())
    '''

def host_load() -> Load:
    r'''What this computer's CPUs have done so far, for the lab and for others.

    Take it twice: the difference tells whether something else was at work while you measured. It is counted in hundredths of a second, and of the whole computer also where labrun is in a container. `in_turns` of [`@labrun//measure.star`](libraries.md) measures with it. A task's check may call it.

    returns struct, in seconds of all CPUs together: `cpu_seconds`, used since this computer was started; `others`, of these by programs that are no part of the lab; `stolen`, wanted and given to others by the host that this computer is a virtual machine of

        before = host_load().others
        run(debian, "sleep 2")
        say("others used %s s of CPU time" % (host_load().others - before))
    '''

def terminal(name: str) -> Terminal:
    r'''Open a shell on the host.

    For missions declared with `mission(…, needs = ["host"])`, and only if the user agrees: by `--allow host`, or by answering yes at the start. Without that the mission does not begin, and labrun's exit code is 2.

    name: what to call it
    returns terminal

        htop = terminal("host")
        send(htop, "nproc")
    '''

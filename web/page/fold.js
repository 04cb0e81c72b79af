// @ts-check
// What has happened in a run, folded into how it stands: the guide's state is nothing but a fold of the run's events
// from the beginning, so whoever reloads the page sees all of it. docs: internal/event/event.go and guided.go.

/**
 * One thing in a step's story, in the order in which it happened.
 * @typedef {object} Entry
 * @property {"done" | "told" | "answered" | "helped" | "note" | "hint"} kind
 * @property {any} event
 * @property {string} [by] who did what was asked: student, labrun, nobody
 * @property {string[]} [args] of the phrase that a note or help is
 */

/**
 * @typedef {object} Step
 * @property {number} index counted from 1
 * @property {string} title
 * @property {string} narration HTML, made by labrun
 * @property {"ahead" | "here" | "replaying" | "done" | "skipped" | "left" | "begun" | "changed"} state
 * @property {number} number of a challenge: which one of its board it is, counted from 1; 0: it is none
 * @property {number} challenges how many its board has
 * @property {Step["state"]} solved how a challenge was solved: done, skipped; ahead: not yet
 * @property {string} passed when that was
 * @property {number} seconds it took; 0: not known
 * @property {number} since when it began, in milliseconds
 * @property {Entry[]} story
 */

/**
 * @typedef {object} Work what labrun is at
 * @property {string} subject an image or machine
 * @property {string} phase
 * @property {string} note
 * @property {number} done
 * @property {number} total 0: unknown
 */

/**
 * @typedef {{ name: string, on: boolean, state: string, since: number, viewers: number, screen: boolean, browser: boolean,
 *   consoles: { name: string, played: boolean }[] }} Machine those besides its own
 */

/** How a run stands. */
export class Run {
  session = "";
  mission = ""; // as api/start takes it
  language = "";
  readonly = false;
  teacher = false; // who looks on is the teacher, who may type while they are invited
  invited = false; // the student lets them
  student = ""; // who plays; empty: they have said no name
  title = "";
  minutes = 0;
  guided = true;
  /** @type {Step[]} */
  steps = [];
  at = 0; // index of the present step; 0: none yet
  /** @type {any} the board, while the student is there and at none of its challenges; null: they are not */
  board = null;
  /** @type {any} the welcome; null: not yet */
  welcome = null;
  /** @type {string[]} */
  notices = [];
  /** @type {Entry[]} before the first step, and after the last one */
  before = [];
  /** @type {any} what the student is asked to do; null: labrun is at work */
  asked = null;
  /** @type {any[]} the hints that were given for it */
  hints = [];
  /** @type {any} why it is not done yet */
  missed = null;
  /** @type {Map<string, Work>} */
  work = new Map();
  /** @type {any} what labrun did last by itself */
  acted = null;
  /** @type {Map<string, Machine>} */
  machines = new Map();
  /** @type {any} */
  completed = null;
  /** @type {any} */
  paused = null;
  /** @type {any} run_ended */
  ended = null;

  /** The present step. */
  step() {
    return this.steps[this.at - 1];
  }

  /** @param {string} name */
  machine(name) {
    let m = this.machines.get(name);
    if (!m) {
      m = { name, on: false, state: "", since: 0, viewers: 0, screen: false, browser: false, consoles: [] };
      this.machines.set(name, m);
    }
    return m;
  }

  /** All consoles: each machine's own, which has its name, and then its others. */
  consoles() {
    return [...this.machines.values()].flatMap((m) => [m.name, ...m.consoles.map((c) => c.name)]);
  }

  /** What there is to know of a console, its machine's or another one. @param {string} name */
  console(name) {
    const own = this.machines.get(name);
    if (own) return { on: own.on, screen: own.screen, browser: own.browser, played: false };
    const machine = this.machine(name.split("/")[0] ?? name);
    const played = machine.consoles.some((c) => c.name === name && c.played);
    return { on: machine.on, screen: false, browser: false, played };
  }
}

/**
 * @param {Run} run
 * @param {Entry} entry
 */
function add(run, entry) {
  const step = run.step();
  (step && step.state !== "ahead" ? step.story : run.before).push(entry);
}

/** @type {Record<string, (run: Run, e: any) => void>} */
const fold = {
  session(run, e) {
    Object.assign(run, { session: e.session, mission: e.mission, language: e.language, readonly: e.readonly, teacher: Boolean(e.teacher) });
    for (const m of e.machines ?? []) {
      Object.assign(run.machine(m.name), { screen: Boolean(m.screen), browser: Boolean(m.browser), consoles: m.consoles ?? [] });
    }
  },
  status(run, e) {
    for (const m of e.machines ?? []) {
      const known = run.machine(m.name);
      known.on = m.on;
      known.viewers = m.viewers;
      known.since = m.on ? Date.now() - 1000 * (m.seconds ?? 0) : 0;
      if (!m.on && known.state !== "failed") known.state = "";
    }
  },
  run_started(run, e) {
    Object.assign(run, { title: e.title, minutes: e.minutes ?? 0, guided: Boolean(e.guided), student: e.student ?? "" });
    name(run, e.titles ?? [], e.steps);
    boards(run, e.challenges ?? []);
  },
  notice(run, e) {
    run.notices.push(e.text);
  },
  progress(run, e) {
    run.work.set(e.subject, { subject: e.subject, phase: e.phase, note: e.note ?? "", done: e.done, total: e.total });
    if (e.total > 0 && e.done >= e.total) run.work.delete(e.subject);
  },
  machine(run, e) {
    const m = run.machine(e.name);
    m.state = e.state;
    m.on = e.state === "booting" || e.state === "ready";
    if (e.state === "booting") m.since = Date.parse(e.time);
    else run.work.delete(e.name);
  },
  welcomed(run, e) {
    run.welcome = e;
    run.title = e.title;
    for (const step of run.steps.slice(0, e.from - 1)) step.state = "done"; // until it is told how
  },
  step_started(run, e) {
    const step = run.steps[e.index - 1];
    if (!step) return;
    step.title = e.title;
    step.narration = e.narration_html ?? "";
    run.at = e.index;
    run.board = null;
    run.work.clear();
    step.state = e.replayed ? "replaying" : "here";
    step.since = Date.parse(e.time);
    if (!step.number) step.story = []; // a challenge that is entered again goes on
    quiet(run);
  },
  recalled(run, e) {
    const step = run.step();
    if (!step) return;
    step.seconds = e.seconds;
    recalled.set(step, e.state);
    for (const answer of e.answers ?? []) step.story.push({ kind: "answered", event: answer });
  },
  step_ended(run, e) {
    const step = run.steps[e.index - 1];
    quiet(run);
    if (!step || e.error) return;
    const before = recalled.get(step);
    if (e.away) {
      step.state = step.solved === "ahead" ? "begun" : step.solved;
      return;
    }
    step.state = step.state === "replaying" && before ? before : !e.passed ? "left" : e.skipped ? "skipped" : "done";
    if (!before) step.seconds = e.seconds;
    if (step.number && e.passed && step.solved === "ahead") step.solved = step.state;
  },
  board(run, e) {
    quiet(run);
    run.board = e;
    e.challenges.forEach((/** @type {any} */ c, /** @type {number} */ n) => {
      const step = run.steps[e.first - 1 + n];
      if (!step) return;
      step.title = c.title;
      step.state = c.changed ? "changed" : c.state;
      if (c.passed) Object.assign(step, { solved: c.state, passed: c.passed });
    });
  },
  returned(run, e) {
    add(run, { kind: "note", event: { phrase: e.board ? "returned board" : "returned", args: [e.seconds] } });
  },
  redone(run, e) {
    quiet(run);
    const step = run.step();
    if (step) step.since = Date.parse(e.time);
    const phrase = step?.number ? "reset done" : e.restored ? "redoing restored" : "redoing";
    add(run, { kind: "note", event: { phrase, args: [] } });
  },
  translated(run, e) {
    Object.assign(run, { language: e.language, title: e.title });
    name(run, e.titles, e.titles.length);
    const step = run.steps[e.at - 1];
    if (step) step.narration = e.narration_html ?? "";
  },
  instructed(run, e) {
    // What comes of an instruction may have been missed just before. One that is told again, in another language, is
    // followed by its hints and by why it is not done.
    if (!e.known || e.retold) run.missed = null;
    run.hints = [];
    run.asked = e;
    run.acted = null;
    run.work.clear();
  },
  fulfilled(run, e) {
    const asked = run.asked;
    if (asked && !asked.question && !["trouble", "board", "sure"].includes(asked.verb)) {
      for (const hint of run.hints) add(run, { kind: "hint", event: hint });
      if (e.by !== "nobody" || !run.step()?.number) add(run, { kind: "done", event: asked, by: e.by }); // or it was left
    }
    quiet(run);
  },
  missed(run, e) {
    run.missed = e;
  },
  hinted(run, e) {
    run.hints = run.hints.filter((h) => h.level !== e.level).concat(e);
  },
  helped(run, e) {
    add(run, { kind: "helped", event: e });
  },
  invited(run, e) {
    run.invited = Boolean(e.on);
    add(run, { kind: "note", event: { phrase: e.on ? "class invited" : "class alone", args: [] } });
  },
  told(run, e) {
    add(run, { kind: "told", event: e });
  },
  answered(run, e) {
    if (e.verdict === "wrong") run.missed = e; // it is asked on
    else add(run, { kind: "answered", event: e });
  },
  said(run, e) {
    if (!run.guided) add(run, { kind: "told", event: { text: e.text, text_html: e.text_html } }); // else it was told
  },
  acted(run, e) {
    run.acted = e;
  },
  completed(run, e) {
    quiet(run);
    run.completed = e;
  },
  paused(run, e) {
    run.paused = e;
  },
  run_ended(run, e) {
    quiet(run);
    run.ended = e;
  },
};

/** How replayed steps were done before. @type {WeakMap<Step, Step["state"]>} */
const recalled = new WeakMap();

/**
 * Nothing is asked any more.
 * @param {Run} run
 */
function quiet(run) {
  run.asked = null;
  run.hints = [];
  run.missed = null;
  run.acted = null;
}

/**
 * Names the steps; those that are known keep what they have.
 * @param {Run} run
 * @param {string[]} titles
 * @param {number} count
 */
function name(run, titles, count) {
  for (let i = 0; i < Math.max(count, titles.length); i++) {
    run.steps[i] ??= {
      index: i + 1, title: "", narration: "", state: "ahead", seconds: 0, since: 0, story: [], number: 0, challenges: 0,
      solved: "ahead", passed: "",
    };
    run.steps[i].title = titles[i] ?? run.steps[i].title;
  }
}

/**
 * Numbers the challenges: those that follow one another are a board.
 * @param {Run} run
 * @param {number[]} challenges the steps that are challenges
 */
function boards(run, challenges) {
  /** @type {Step[]} */
  let board = [];
  for (const index of challenges) {
    const step = run.steps[index - 1];
    if (!step) continue;
    if (board.at(-1)?.index !== index - 1) board = [];
    board.push(step);
    step.number = board.length;
    for (const other of board) other.challenges = board.length;
  }
}

/**
 * Folds an event into a run. Events that a page has no use for change nothing.
 * @param {Run} run
 * @param {any} e
 */
export function apply(run, e) {
  fold[e.event]?.(run, e);
}

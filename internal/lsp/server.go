package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"

	"github.com/labrun/labrun/internal/analysis"
	"github.com/labrun/labrun/internal/script"
)

// Options are what the server knows of its surroundings.
type Options struct {
	// Images are those that the machines of missions in a folder may boot from; with "" for
	// the folder, of missions that are in none.
	Images  func(folder string) (analysis.Images, error)
	Version string    // labrun's
	Log     io.Writer // for what goes wrong inside
}

// ErrNoShutdown says that the editor left without saying so before.
var ErrNoShutdown = errors.New("the editor has left without a shutdown request")

// Serve speaks with an editor on in and out until it says exit or closes in. It
// writes nothing but the protocol's messages. When ctx ends it returns at once,
// although its reader may still wait for in.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	s := &server{options: o, documents: map[string]*document{}, wake: make(chan struct{}, 1)}
	s.rpc = jrpc2.NewServer(s, &jrpc2.ServerOptions{AllowPush: true, DisableBuiltin: true, Concurrency: 1})
	s.rpc.Start(&untilExit{Channel: channel.LSP(in, unclosed{out})})

	looking, stopLooking := context.WithCancel(ctx)
	looked, ended := make(chan struct{}), make(chan jrpc2.ServerStatus, 1)
	go func() {
		defer close(looked)
		s.look(looking)
	}()
	defer func() { stopLooking(); <-looked }()
	go func() { ended <- s.rpc.WaitStatus() }()
	select {
	case status := <-ended:
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case status.Err != nil:
			return fmt.Errorf("speak with the editor: %w", status.Err)
		case s.state != leaving:
			return ErrNoShutdown
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// state is how far the conversation has come.
type state int

const (
	arriving state = iota // before initialize
	working
	leaving // after shutdown
)

// server is one conversation with an editor.
type server struct {
	options Options
	rpc     *jrpc2.Server
	wake    chan struct{} // some document has changed

	mu         sync.Mutex
	state      state
	offsets    bool     // the editor wants to know where parameters are in a label
	workspaces []string // the folders that it has open
	documents  map[string]*document
}

// Assign finds the handler of a method.
func (s *server) Assign(_ context.Context, method string) jrpc2.Handler {
	handle := map[string]jrpc2.Handler{
		"initialize":                  s.initialize,
		"initialized":                 ignore,
		"shutdown":                    s.shutdown,
		"exit":                        ignore, // the reader stops after it
		"textDocument/didOpen":        s.didOpen,
		"textDocument/didChange":      s.didChange,
		"textDocument/didSave":        s.didSave,
		"textDocument/didClose":       s.didClose,
		"textDocument/completion":     s.completion,
		"textDocument/hover":          s.hover,
		"textDocument/signatureHelp":  s.signatureHelp,
		"textDocument/definition":     s.definition,
		"textDocument/documentSymbol": s.documentSymbol,
	}[method]
	if handle == nil {
		return nil
	}
	return func(ctx context.Context, req *jrpc2.Request) (result any, err error) {
		// A mistake of ours must not take the editor's help away.
		defer func() {
			if p := recover(); p != nil {
				fmt.Fprintf(s.options.Log, "labrun lsp: %s: %v\n%s", method, p, debug.Stack())
				result, err = nil, jrpc2.Errorf(jrpc2.InternalError, "%s: %v", method, p)
			}
		}()
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.state == arriving && method != "initialize" && method != "exit":
			return nil, jrpc2.Errorf(serverNotInitialized, "%s: initialize comes first", method)
		case s.state == leaving && method != "exit":
			return nil, jrpc2.Errorf(jrpc2.InvalidRequest, "%s: after shutdown comes exit", method)
		}
		return handle(ctx, req)
	}
}

// serverNotInitialized is the protocol's code for what comes before initialize.
const serverNotInitialized jrpc2.Code = -32002

func ignore(context.Context, *jrpc2.Request) (any, error) { return nil, nil }

func (s *server) initialize(_ context.Context, req *jrpc2.Request) (any, error) {
	var p initializeParams
	if err := req.UnmarshalParams(&p); err != nil {
		return nil, err
	}
	if s.state != arriving {
		return nil, jrpc2.Errorf(jrpc2.InvalidRequest, "initialize: it is done already")
	}
	s.state = working
	s.offsets = p.Capabilities.TextDocument.SignatureHelp.SignatureInformation.ParameterInformation.LabelOffsetSupport
	for _, f := range p.WorkspaceFolders {
		if path := pathOf(f.URI); path != "" {
			s.workspaces = append(s.workspaces, path)
		}
	}
	if path := pathOf(p.RootURI); path != "" && len(s.workspaces) == 0 {
		s.workspaces = append(s.workspaces, path)
	}
	return initializeResult{
		Capabilities: capabilities{
			PositionEncoding:       "utf-16",
			TextDocumentSync:       syncOptions{OpenClose: true, Change: syncWhole},
			CompletionProvider:     triggers{[]string{".", `"`, "'", "/", "(", ",", "{"}},
			SignatureHelpProvider:  triggers{[]string{"(", ","}},
			HoverProvider:          true,
			DefinitionProvider:     true,
			DocumentSymbolProvider: true,
		},
		ServerInfo: serverInfo{Name: "labrun", Version: s.options.Version},
	}, nil
}

func (s *server) shutdown(context.Context, *jrpc2.Request) (any, error) {
	s.state = leaving
	return nil, nil
}

func (s *server) didOpen(_ context.Context, req *jrpc2.Request) (any, error) {
	var p openParams
	if err := req.UnmarshalParams(&p); err != nil {
		return nil, err
	}
	uri := p.TextDocument.URI
	s.documents[uri] = &document{
		uri: uri, path: script.RealFile(pathOf(uri)), version: p.TextDocument.Version,
		lines: newText(p.TextDocument.Text),
	}
	s.lookAtAll(uri)
	return nil, nil
}

func (s *server) didChange(_ context.Context, req *jrpc2.Request) (any, error) {
	var p changeParams
	if err := req.UnmarshalParams(&p); err != nil {
		return nil, err
	}
	doc := s.documents[p.TextDocument.URI]
	if doc == nil || len(p.ContentChanges) == 0 {
		return nil, nil
	}
	doc.version, doc.lines = p.TextDocument.Version, newText(p.ContentChanges[len(p.ContentChanges)-1].Text)
	s.lookAtAll("")
	return nil, nil
}

func (s *server) didSave(_ context.Context, req *jrpc2.Request) (any, error) {
	var p documentParams
	if err := req.UnmarshalParams(&p); err != nil {
		return nil, err
	}
	s.lookAtAll(p.TextDocument.URI)
	return nil, nil
}

func (s *server) didClose(ctx context.Context, req *jrpc2.Request) (any, error) {
	var p documentParams
	if err := req.UnmarshalParams(&p); err != nil {
		return nil, err
	}
	delete(s.documents, p.TextDocument.URI)
	s.lookAtAll("")
	return nil, s.rpc.Notify(
		ctx, "textDocument/publishDiagnostics", publishParams{URI: p.TextDocument.URI, Diagnostics: []diagnostic{}},
	)
}

// lookAtAll has every open document looked at again, because a file may be loaded
// by others; that of uri is loaded, too.
func (s *server) lookAtAll(uri string) {
	for _, doc := range s.documents {
		doc.changed = true
		doc.load = doc.load || doc.uri == uri
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look publishes what is to be said about documents that have changed, until ctx
// ends. What changes faster than it looks is looked at once.
func (s *server) look(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for {
			again, err := s.lookAtOne(ctx)
			if err != nil && ctx.Err() == nil && !errors.Is(err, jrpc2.ErrConnClosed) {
				fmt.Fprintf(s.options.Log, "labrun lsp: %v\n", err)
			}
			if !again {
				break
			}
		}
	}
}

// longestLoad bounds what loading a mission may take.
const longestLoad = 5 * time.Second

// lookAtOne looks at one document that has changed, and reports whether there was
// one.
func (s *server) lookAtOne(ctx context.Context) (found bool, err error) {
	defer func() {
		if p := recover(); p != nil { // as in Assign
			err = fmt.Errorf("look at a script: %v\n%s", p, debug.Stack())
		}
	}()
	doc, d := s.nextChanged()
	if d.Draft == nil {
		return false, nil
	}
	defer d.close()
	findings := d.Findings()
	if doc.load && d.IsMission() && !hasErrors(findings) {
		loading, cancel := context.WithTimeout(ctx, longestLoad)
		defer cancel()
		findings = append(findings, d.Load(loading)...)
	}
	published := publishParams{URI: doc.uri, Version: doc.version, Diagnostics: []diagnostic{}}
	for _, f := range findings {
		published.Diagnostics = append(published.Diagnostics, diagnosticOf(f, d.text))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.documents[doc.uri]; now == nil || now.version != doc.version {
		return true, nil // it is out of date
	}
	return true, s.rpc.Notify(ctx, "textDocument/publishDiagnostics", published)
}

// nextChanged takes a document that has changed, as it is now.
func (s *server) nextChanged() (document, drafted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, doc := range s.documents {
		if doc.changed {
			taken := *doc
			doc.changed, doc.load = false, false
			return taken, s.draft(doc)
		}
	}
	return document{}, drafted{}
}

func hasErrors(findings []analysis.Finding) bool {
	for _, f := range findings {
		if f.Severity == analysis.SeverityError {
			return true
		}
	}
	return false
}

// untilExit ends the reading with the editor's exit, which need not close the
// connection.
type untilExit struct {
	channel.Channel
	over bool
}

func (c *untilExit) Recv() ([]byte, error) {
	if c.over {
		return nil, io.EOF
	}
	data, err := c.Channel.Recv()
	var otherType *channel.ContentTypeMismatchError
	if errors.As(err, &otherType) { // «utf8» instead of «utf-8»
		err = nil
	}
	var m struct {
		Method string `json:"method"`
	}
	if err == nil && json.Unmarshal(data, &m) == nil {
		c.over = m.Method == "exit"
	}
	return data, err
}

// unclosed leaves closing to whoever has opened it.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

// page is how text is laid out on a stream: colours and folding are for
// terminals alone.
func page(w io.Writer) view.Page {
	fd, ok := terminal(w)
	if !ok {
		return view.Page{}
	}
	pg := view.Page{Color: os.Getenv("NO_COLOR") == "" && !dumb()}
	if width, _, err := term.GetSize(fd); err == nil {
		pg.Width = width
	}
	return pg
}

// dumb tells of a terminal that knows no control codes, such as an editor's shell.
func dumb() bool { return os.Getenv("TERM") == "dumb" }

// terminal gives a stream's descriptor where it is a terminal that somebody
// sits at: a CI job never is.
func terminal(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || os.Getenv("CI") != "" {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// findings are an error as people read it.
func findings(err error) diag.List {
	var list diag.List
	if errors.As(err, &list) {
		return list
	}
	if f, ok := store.Finding(err); ok {
		return diag.List{f}
	}
	var refused *web.Refused
	if errors.As(err, &refused) {
		return diag.List{refused.Finding}
	}
	var gitErr *git.Error
	if errors.As(err, &gitErr) {
		return diag.List{gitErr.Finding()}
	}
	f := diag.Finding{Severity: diag.Error, Code: diag.CommandFailed, Message: err.Error()}
	if errors.Is(err, context.Canceled) {
		f.Message, f.Mend = "interrupted", "nothing was changed; type it again"
	}
	return diag.List{f}
}

// refuse tells what is wrong and sets the exit code. Errors go where people
// look for them, structured forms to standard output.
func (a *app) refuse(list diag.List, verdict string) error {
	a.code = exitError
	a.tell(list, verdict)
	return errSaid
}

// tell shows findings.
func (a *app) tell(list diag.List, verdict string) {
	switch a.output {
	case "json":
		a.write(view.FindingsJSON(list, verdict))
	case "markdown":
		fmt.Fprint(a.out, view.FindingsMarkdown(list, verdict))
	default:
		if len(list) == 1 && verdict == "" {
			fmt.Fprint(a.err, view.Finding(list[0], page(a.err)))
			return
		}
		fmt.Fprint(a.err, view.Findings(list, verdict, page(a.err)))
	}
}

// write puts bytes on standard output; a closed pipe is its reader's wish.
func (a *app) write(b []byte) { _, _ = a.out.Write(b) }

// writeJSON renders what view has no form for.
func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// errorf is a finding of the command line itself.
func errorf(code diag.Code, mend, format string, args ...any) diag.List {
	return diag.List{{Severity: diag.Error, Code: code, Message: fmt.Sprintf(format, args...), Mend: mend}}
}

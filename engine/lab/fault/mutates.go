package fault

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// soapAction gives the method that a SOAP request calls, the name of the first
// element in its body, or "" where there is none.
func soapAction(body []byte) string {
	d := xml.NewDecoder(bytes.NewReader(body))
	for inBody := false; ; {
		tok, err := d.Token()
		if err != nil {
			return ""
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case inBody:
			return start.Name.Local
		default:
			inBody = start.Name.Local == "Body"
		}
	}
}

// reading begins the names of calls that change nothing that lasts: AWS's, and
// of the vSphere API those that read, and that come and go with a session.
var (
	reading = []string{
		"Describe", "Get", "List", "Head",
		"Retrieve", "ContinueRetrieve", "CancelRetrieve", "WaitFor", "CancelWaitFor", "CheckForUpdates", "Query", "Find", "Fetch",
		"Login", "Logout", "SessionIsActive", "CurrentTime", "Validate",
	}
	passing = []string{
		"CreateFilter", "CreatePropertyCollector", "CreateContainerView", "CreateListView", "ModifyListView",
		"DestroyPropertyFilter", "DestroyPropertyCollector", "DestroyView",
	}
)

// Mutates tells whether the request asks for a change: its action is none that
// is known to read, or it names none and its method writes.
func (c Call) Mutates() bool {
	if c.Action == "" {
		return c.Method != http.MethodGet && c.Method != http.MethodHead
	}
	return !slices.Contains(passing, c.Action) &&
		!slices.ContainsFunc(reading, func(p string) bool { return strings.HasPrefix(c.Action, p) })
}

package fault

import (
	"bytes"
	"encoding/xml"
	"net/http"
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

// Mutates tells whether the request asks for a change that lasts: its action is
// none of AWS or vSphere that is known to read or to come and go with a session,
// or it names none and its method writes.
func (c Call) Mutates() bool {
	switch c.Action {
	case "":
		return c.Method != http.MethodGet && c.Method != http.MethodHead
	case "CreateFilter", "CreatePropertyCollector", "CreateContainerView", "CreateListView", "ModifyListView",
		"DestroyPropertyFilter", "DestroyPropertyCollector", "DestroyView":
		return false
	}
	for _, begins := range []string{
		"Describe", "Get", "List", "Head",
		"Retrieve", "ContinueRetrieve", "CancelRetrieve", "WaitFor", "CancelWaitFor", "CheckForUpdates", "Query", "Find", "Fetch",
		"Login", "Logout", "SessionIsActive", "CurrentTime", "Validate",
	} {
		if strings.HasPrefix(c.Action, begins) {
			return false
		}
	}
	return true
}

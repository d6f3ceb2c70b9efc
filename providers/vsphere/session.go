package vsphere

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// session is one login at a vCenter, seen from one of its datacenters. Only
// the login changes while it is open.
type session struct {
	client     *soap.Client
	content    types.ServiceContent
	datacenter string // "" is the only one
	kinds      map[string]*kind
	now        func() time.Time

	own *provider.Credentials // nil: those of the process

	mu    sync.Mutex // over a login
	login int        // counts logins, so that calls that failed together log in once
}

// open asks the vCenter who it is and logs in. The settings are url,
// credentials, insecure and datacenter.
func open(ctx context.Context, c provider.Config) (provider.Session, error) {
	s := &session{kinds: map[string]*kind{}, datacenter: c.Settings.Text("datacenter"), own: c.Credentials}
	s.now = time.Now //nolint:forbidigo // when the vCenter was asked is for this edge to say
	for _, k := range kinds() {
		s.kinds[k.Name] = k
	}
	err := meant(c)
	if err == nil {
		_, _, err = s.credentials() // before anything is sent
	}
	if err != nil {
		return nil, err
	}
	if s.client, err = dial(c); err != nil {
		return nil, err
	}
	if s.content, err = methods.GetServiceContent(ctx, s); err != nil {
		return nil, err
	}
	if s.content.About.ApiType != "VirtualCenter" || s.content.SessionManager == nil {
		return nil, invalid("vim:RetrieveServiceContent", "the url leads to a "+s.content.About.Name+", not to a vCenter: manage hosts through theirs")
	}
	if err := s.logIn(ctx, 0); err != nil {
		return nil, err
	}
	return s, nil
}

// dial makes the client of a vCenter; it connects with the first call.
func dial(c provider.Config) (*soap.Client, error) {
	u, err := soap.ParseURL(c.Settings.Text("url"))
	if err != nil || u == nil || u.Host == "" {
		return nil, invalid("vim:Connect", `providers.vsphere.url is no address: write "https://vcenter.example.com"`)
	}
	u.User = url.User("") // credentials never stand in an address
	insecure, _ := c.Settings["insecure"].(resource.Bool)
	client := soap.NewClient(u, bool(insecure))
	client.Namespace, client.Version = "urn:"+vim25.Namespace, vim25.Version
	client.UserAgent = "isobar"
	//nolint:forbidigo // where authorities' certificates lie is the process's own matter
	if files := os.Getenv("GOVC_TLS_CA_CERTS"); files != "" {
		if err := client.SetRootCAs(files); err != nil {
			return nil, &resource.Failure{Class: resource.Denied, Op: "vim:Connect", Message: "GOVC_TLS_CA_CERTS: " + err.Error(), Err: err}
		}
	}
	t := client.DefaultTransport()
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	// The client's own dials know no ctx: each to a vCenter that hangs would hang as
	// long as it does. What it does beside, thumbprints, has no use here.
	t.DialTLSContext = nil
	client.Transport = provider.FenceTransport(client.Transport)
	if c.HTTP != nil {
		client.Transport = c.HTTP.Transport
	}
	client.Transport = provider.PatientTransport(client.Transport)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if client.Jar == nil {
		if client.Jar, err = cookiejar.New(nil); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// logIn logs in, unless somebody else did since the login that the caller saw.
func (s *session) logIn(ctx context.Context, seen int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.login != seen {
		return nil
	}
	user, password, err := s.credentials()
	if err != nil {
		return err
	}
	req := methods.LoginBody{Req: &types.Login{This: *s.content.SessionManager, UserName: user, Password: password}}
	var res methods.LoginBody
	err = s.client.RoundTrip(ctx, &req, &res)
	if err == nil {
		err = answered(&res)
	}
	if err != nil {
		return classify("vim:Login", err, false)
	}
	s.login++
	return nil
}

func (s *session) logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login
}

// reads are the calls that change nothing but the session's own views.
func reads(op string) bool {
	switch op {
	case "RetrieveServiceContent", "RetrievePropertiesEx", "ContinueRetrievePropertiesEx", "CreateContainerView", "DestroyView", "FindByUuid":
		return true
	}
	return false
}

// RoundTrip sends one call, for the SDK's methods, and classifies its error. A
// call that is refused since the login has expired was not done: it is sent
// once more after a new one.
func (s *session) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	op := strings.TrimSuffix(reflect.TypeOf(req).Elem().Name(), "Body")
	if err := ended(ctx, "vim:"+op); err != nil {
		return err
	}
	seen := s.logins()
	err := s.client.RoundTrip(ctx, req, res)
	if seen > 0 && expired(err, res) {
		if err := s.logIn(ctx, seen); err != nil {
			return err
		}
		reflect.ValueOf(res).Elem().SetZero()
		err = s.client.RoundTrip(ctx, req, res)
	}
	if err == nil {
		err = answered(res)
	}
	return classify("vim:"+op, err, !reads(op))
}

// answered tells of an envelope without the answer that every call has: no vCenter
// gave it, and the SDK passes over what it does not know.
func answered(res soap.HasFault) error {
	if reflect.ValueOf(res).Elem().FieldByName("Res").IsNil() {
		return errors.New("what answered is no vCenter (status 200 without an answer): look for a proxy or a login page on the way")
	}
	return nil
}

// expired reports whether a call was refused for want of a login. A property
// collector says so of each property instead.
func expired(err error, res soap.HasFault) bool {
	if err != nil {
		return soap.IsSoapFault(err) && faultName(soap.ToSoapFault(err).VimFault()) == "NotAuthenticated"
	}
	b, ok := res.(*methods.RetrievePropertiesExBody)
	if !ok || b.Res == nil || b.Res.Returnval == nil {
		return false
	}
	for _, o := range b.Res.Returnval.Objects {
		for _, m := range o.MissingSet {
			if faultName(m.Fault.Fault) == "NotAuthenticated" {
				return true
			}
		}
	}
	return false
}

// Scope implements provider.Session.
func (s *session) Scope() string { return name + "/" + s.content.About.InstanceUuid }

func (s *session) kind(n string) (*kind, error) {
	if k := s.kinds[n]; k != nil {
		return k, nil
	}
	return nil, &resource.Failure{Class: resource.Bug, Op: name, Message: fmt.Sprintf("there is no kind %q", n)}
}

// Create implements provider.Session.
func (s *session) Create(ctx context.Context, want resource.Object, m resource.Mark) (provider.Progress, error) {
	k, err := s.kind(want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	p, err := k.create(ctx, s, want, m)
	if p.Object.ID != "" {
		p.Object.Address = want.Address
		if !k.Unmarked {
			p.Object.Mark = m
		}
	}
	return p, err
}

// Rehearse implements provider.Session.
func (s *session) Rehearse(ctx context.Context, want resource.Object) error {
	k, err := s.kind(want.Address.Kind)
	if err != nil || k.rehearse == nil {
		return err
	}
	return k.rehearse(ctx, s, want)
}

// Update implements provider.Session.
func (s *session) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (provider.Progress, error) {
	k, ref, err := s.subject(ctx, live, want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	if len(changes) == 0 {
		return provider.Progress{}, &resource.Failure{Class: resource.Bug, Op: "vsphere:Update", Message: "an update was asked for without a change"}
	}
	p, err := k.update(ctx, s, change{ref: ref, live: live, want: want, changes: changes})
	p.Object.Address, p.Object.ID, p.Object.Mark = want.Address, live.ID, live.Mark
	return p, err
}

// Delete implements provider.Session.
func (s *session) Delete(ctx context.Context, live, applied resource.Object) (provider.Progress, error) {
	address := live.Address
	if address.IsZero() {
		address = applied.Address
	}
	out := provider.Progress{Object: resource.Object{Address: address, ID: live.ID}}
	k, ref, err := s.subject(ctx, live, address.Kind)
	if err == nil {
		var p provider.Progress
		p, err = k.remove(ctx, s, ref, applied)
		out.Handle, out.After = p.Handle, p.After
	}
	if resource.ClassOf(err) == resource.NotFound {
		err = nil
	}
	return out, err
}

// subject finds the managed object that a call is about.
func (s *session) subject(ctx context.Context, live resource.Object, kindName string) (*kind, types.ManagedObjectReference, error) {
	k, err := s.kind(kindName)
	if err != nil {
		return nil, types.ManagedObjectReference{}, err
	}
	ref, err := k.locate(ctx, s, live.ID)
	if err == nil && ref == nil {
		err = gone("vim:Locate", live.ID)
	}
	if err != nil {
		return nil, types.ManagedObjectReference{}, err
	}
	return k, *ref, nil
}

// Find implements provider.Session.
func (s *session) Find(ctx context.Context, in provider.Intent) (provider.Progress, error) {
	k, err := s.kind(in.Want.Address.Kind)
	if err != nil {
		return provider.Progress{}, err
	}
	p, err := k.find(ctx, s, in)
	if p.Object.ID != "" {
		p.Object.Address = in.Want.Address
	}
	return p, err
}

// Mark implements provider.Session.
func (s *session) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	k, err := s.kind(live.Address.Kind)
	if err != nil {
		return err
	}
	if k.Unmarked {
		if m == nil {
			return nil
		}
		return invalid("vsphere:Mark", "a "+k.Name+" cannot carry a mark")
	}
	_, ref, err := s.subject(ctx, live, k.Name)
	if err != nil {
		return err
	}
	return s.markVM(ctx, ref, live, m)
}

package vsphere

import (
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// The faults below are those of the vSphere Web Services API reference
// (https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/).

// classify makes err, which the SDK gave for a call, a *resource.Failure. It
// is nil for nil, and a Failure stays itself.
func classify(op string, err error, mutates bool) error {
	var done *resource.Failure
	if err == nil || errors.As(err, &done) {
		return err
	}
	if soap.IsSoapFault(err) {
		f := soap.ToSoapFault(err)
		return withCause(ofFault(op, f.VimFault(), f.String, mutates), err)
	}
	f := &resource.Failure{Op: op, Err: err}
	var fenced *provider.FencedError
	switch {
	case errors.As(err, &fenced):
		// Another process holds the lease now: nothing was sent.
		f.Class, f.Message = resource.Conflict, fenced.Error()
	case soap.IsCertificateUntrusted(err):
		f.Class = resource.Denied
		f.Message = "the vCenter's certificate is not trusted: name its authority's file in GOVC_TLS_CA_CERTS (" + rootCause(err) + ")"
	case unreached(err) || !mutates:
		f.Class, f.Message = resource.Transient, rootCause(err)
	default:
		f.Class, f.Message = resource.UnknownOutcome, "no answer came: "+rootCause(err)
	}
	return f
}

// ofFault is the meaning of a fault that the vCenter gave.
func ofFault(op string, fault any, words string, mutates bool) *resource.Failure {
	code := faultName(fault)
	f := &resource.Failure{Op: op, Code: code, Message: strings.TrimSpace(words), Class: classOf(code)}
	if f.Class == "" {
		f.Class = resource.Transient
		if mutates {
			f.Class = resource.UnknownOutcome
		}
	}
	if m := detail(fault); m != "" {
		f.Message = strings.TrimPrefix(f.Message+": "+m, ": ")
	}
	if f.Taken = taken(code); f.Taken {
		mend := "choose another name, or bring that one under isobar with isobar import"
		if code == "FileAlreadyExists" {
			mend = "choose another name, or move the file away"
		}
		f.Message = strings.TrimPrefix(strings.TrimRight(f.Message, ". ")+": "+mend, ": ")
	}
	if code == "InvalidLogin" || code == "PasswordExpired" {
		f.Message = strings.TrimPrefix(strings.TrimRight(f.Message, ". ")+": the vCenter refuses the user or the password, so correct GOVC_USERNAME and GOVC_PASSWORD or the credentials of the server's file", ": ")
	}
	if f.Message == "" {
		f.Message = "the vCenter gives no further words"
	}
	return f
}

// withCause keeps err as the cause of a failure.
func withCause(f *resource.Failure, err error) error {
	f.Err = err
	return f
}

// faultName gives a fault's type, "InvalidLogin".
func faultName(fault any) string {
	t := reflect.TypeOf(fault)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return ""
	}
	return strings.TrimSuffix(t.Name(), "Fault")
}

// detail gives what a fault says beside its type, without a value of a field.
func detail(fault any) string {
	switch x := fault.(type) {
	case types.InvalidArgument:
		return "it refuses " + x.InvalidProperty
	case *types.InvalidArgument:
		return "it refuses " + x.InvalidProperty
	case *types.InvalidVmConfig:
		return "it refuses " + x.Property
	case types.NoPermission:
		return "the account lacks the privilege " + x.PrivilegeId
	case *types.NoPermission:
		return "the account lacks the privilege " + x.PrivilegeId
	case types.DuplicateName:
		return x.Name + " exists already"
	case *types.DuplicateName:
		return x.Name + " exists already"
	case types.FileAlreadyExists:
		return x.File + " exists already"
	case *types.FileAlreadyExists:
		return x.File + " exists already"
	}
	return ""
}

// taken reports whether a fault's type says that another object has the name
// that the call asks for. That does not pass by itself.
func taken(code string) bool {
	return code == "DuplicateName" || code == "AlreadyExists" || code == "FileAlreadyExists"
}

// classOf is the meaning of a fault's type; "" where it says nothing of whether
// the call was done.
func classOf(code string) resource.Class {
	if taken(code) {
		return resource.Invalid
	}
	switch code {
	case "InvalidLogin", "NoPermission", "NotAuthenticated", "InvalidLocale", "RestrictedVersion", "NotEnoughLicenses",
		"LicenseExpired", "NoSubjectName", "PasswordExpired", "UserNotFound", "SecurityError", "NoClientCertificate":
		return resource.Denied
	case "ManagedObjectNotFound", "NotFound", "FileNotFound":
		return resource.NotFound
	case "InvalidState", "InvalidPowerState", "ResourceInUse", "TaskInProgress",
		"ConcurrentAccess", "VmConfigFault", "ToolsUnavailable", "NoDiskSpace", "InsufficientResources", "InsufficientCpuResources",
		"InsufficientMemoryResources", "NoCompatibleHost", "HostNotConnected", "InvalidHostState", "InvalidDatastoreState",
		"FileLocked", "AlreadyBeingManaged", "LimitExceeded", "DvsFault", "VimFault_InUse", "QuarantineModeFault", "DisallowedOperationOnFailoverHost":
		return resource.Conflict
	case "TooManyConcurrentNativeClones", "TooManyTasks", "ServerBusy":
		return resource.Throttled
	case "HostCommunication", "HostNotReachable", "Unavailable":
		return "" // it may have reached the host
	}
	for _, part := range []string{"Invalid", "NotSupported", "Unsupported", "CannotAccess", "MissingPower", "Mismatch", "OutOfBounds", "Illegal"} {
		if strings.HasPrefix(code, part) || strings.HasSuffix(code, part) {
			return resource.Invalid
		}
	}
	switch code {
	case "DeviceUnsupportedForVmPlatform", "DeviceUnsupportedForVmVersion", "BadUsernameSession", "NotImplemented", "UnsupportedGuest":
		return resource.Invalid
	}
	return ""
}

// unreached reports whether the connection was never made, so that no byte of
// the request can have arrived.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// ended reports whether ctx had ended before a call could be sent.
func ended(ctx context.Context, op string) error {
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		return &resource.Failure{Class: resource.Transient, Op: op, Message: "not sent: " + err.Error(), Err: err}
	}
	return nil
}

// rootCause gives the innermost error's text.
func rootCause(err error) string {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil { // the cause alone does not say whom
		return "connect to " + dial.Addr.String() + ": " + innermost(dial.Err)
	}
	return innermost(err)
}

func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// invalid is a failure that isobar sees itself, before any mutating call.
func invalid(op, message string) error {
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: message}
}

// together makes one failure of several that nobody had to be asked for: nil of none.
func together(errs ...error) error {
	var out *resource.Failure
	var said []string
	for _, err := range errs {
		var f *resource.Failure
		if !errors.As(err, &f) || slices.Contains(said, f.Message) {
			continue
		}
		if out == nil {
			first := *f
			out = &first
		}
		said = append(said, f.Message)
	}
	if out == nil {
		return nil
	}
	out.Message = strings.Join(said, "; ")
	return out
}

// gone says that the object of a call is not there.
func gone(op string, id resource.ID) error {
	return &resource.Failure{Class: resource.NotFound, Op: op, Code: "ManagedObjectNotFound", Message: "there is no " + string(id)}
}

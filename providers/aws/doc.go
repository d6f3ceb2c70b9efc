// Package aws is the provider for Amazon Web Services: one file a kind, and
// beside them the session, the read planner, tags and the classes of errors.
//
// It owns every call to AWS and is the only importer of aws-sdk-go-v2. It must
// not decide what to change, retry, keep state between calls or know of any
// emulator: endpoints and credentials come from the SDK's standard chain and
// variables. Floor 4.
package aws

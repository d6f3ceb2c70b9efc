// Package vsphere is the provider for VMware vCenters: one file a kind, and
// beside them the session, the inventory that reads are answered from, tasks
// and the classes of faults.
//
// It owns every call to a vCenter and is the only importer of govmomi. It must
// not decide what to change, retry, keep what it read between calls or know of
// any simulator. Floor 4.
package vsphere

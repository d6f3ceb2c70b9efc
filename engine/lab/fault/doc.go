// Package fault is a reverse proxy that stands in front of any HTTP peer and
// makes its answers fail on demand: refused, throttled, delayed, cut short,
// lost after the work was done, stale, or split into pages; and it counts and
// records what was asked. It also supplies what moto_server lacks: a client
// token makes a second call give the first one's answer, and a bucket is born
// with the tags of its creating call. It knows AWS's actions and the methods of
// SOAP, and tells those apart that change something.
//
// It owns the wire and nothing behind it: it must not know isobar's kinds, nor
// be imported by the daemon. Lab.
package fault

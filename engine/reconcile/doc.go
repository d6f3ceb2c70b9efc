// Package reconcile runs the flow of architecture §1 for environments: spec,
// policy, observe, plan, gate, apply, look again, report. Runner does one run,
// for the one-shot commands and the daemon alike; Daemon keeps repositories
// and environments going with engine/cycle's decisions, a keyed queue, leases
// and an outbox. Adapters reach it by the ports declared here. It must not
// render, speak HTTP or know any SDK. Floor 6.
package reconcile

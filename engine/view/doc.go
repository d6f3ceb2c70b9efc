// Package view renders reports for people and programs: plans, runs, findings
// and status, as text for a terminal, JSON, Markdown and chat lines. All faces
// are renderings of one report, so they use the same words.
//
// It owns wording, order and escaping. It must not do I/O, read a clock, the
// environment or a terminal: width, colour and zone are inputs. A secret never
// passes it: sensitive fields and resource.Secret print as "(secret)", and
// control characters in anything that comes from outside are escaped. Pure.
// Floor 3.
package view

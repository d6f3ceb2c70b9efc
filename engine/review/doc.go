// Package review knows what is said and heard on a pull request: the commands
// that comments give, who may give them, whose approvals a plan has, and which
// open pull requests are in each other's way.
//
// It owns the commands' grammar, the rules of access and the sentences that
// refuse. It must not ask a forge who somebody is, evaluate a spec or make a
// plan: people with their teams, rules and what plans do are inputs. Where a
// name comes from outside, the texts hold it as it is: whoever renders them
// escapes it. Pure. Floor 2.
package review

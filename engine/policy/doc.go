// Package policy puts a plan to Rego rules and says what they decide, with the
// place of each decision in the rule and in the spec.
//
// It owns the rules' input (Terraform's plan JSON shape and an isobar object
// beside it), the conventions of deny, violation, warn and exception, the
// deadline and the functions that rules may call. It must not read files,
// reach a network or know any provider. A rule that fails, is too slow or
// decides in a shape that nobody can read counts as a denial. It is the only
// importer of Open Policy Agent. Floor 4.
package policy

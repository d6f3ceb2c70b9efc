package diag

// The policies' codes.
const (
	PolicyDenied     Code = "POL-301" // a rule denies the plan
	PolicyWarned     Code = "POL-302" // a rule warns of the plan
	PolicyWaived     Code = "POL-303" // a rule decided, and an exception waived it
	PolicyUnreadable Code = "POL-304" // a file is not valid Rego
	PolicyBroken     Code = "POL-305" // a file does not compile
	PolicyOutside    Code = "POL-306" // a rule calls a function that looks outside its input
	PolicySlow       Code = "POL-307" // all rules together took too long
	PolicyFailed     Code = "POL-308" // a rule broke while it ran
	PolicyShape      Code = "POL-309" // a rule's decision cannot be read
	PolicyIdle       Code = "POL-310" // a rule has no effect
	PolicyAdopted    Code = "POL-311" // a rule would deny an object that is only adopted
	PolicyWaiver     Code = "POL-312" // a waiver accepts nothing
)

// policyPages holds the POL codes.
func policyPages() map[Code]Page {
	return map[Code]Page{
		PolicyDenied: {
			Title: "a policy denies the plan",
			Text:  "A deny or violation rule decided against the plan, so nothing of it is applied. The finding names the rule's file and line, and where the object stands in the spec. Mend the spec as the mend line says. If the rule is wrong, change it on the base branch; to let this case through, add a waiver with its reason to the environment (policy: waivers: [{rule: \"SG-001\", address: \"aws.security_group/web\", reason: \"…\"}]), or an exception rule that yields the rule's suffix: exception contains [\"open_admin_port\"] if … waives deny_open_admin_port.",
		},
		PolicyWarned: {
			Title: "a policy warns of the plan",
			Text:  "A warn rule has something to say. It stops nothing. Mend the spec as the mend line says, or waive the rule: by policy: waivers in the environment, or by an exception that yields its suffix.",
		},
		PolicyWaived: {
			Title: "a policy's decision was waived",
			Text:  "A deny, violation or warn rule decided against the plan, and the environment's policy: waivers or an exception rule accepts it, so the decision is shown and stops nothing. Remove the waiver once it is no longer needed.",
		},
		PolicyUnreadable: {
			Title: "a policy file is not valid Rego",
			Text:  "The file could be read neither as today's Rego (rules with if and contains) nor as the older version. While a policy file is unreadable no plan is applied, since nobody can say what it would have denied. Mend the line that is named; isobar policy test shows when it is read.",
		},
		PolicyBroken: {
			Title: "a policy file does not compile",
			Text:  "The file is valid Rego, but a rule uses a name that is not defined, a function with the wrong arguments, or contradicts another rule. While it does not compile no plan is applied. Mend the line that is named; isobar policy test shows when it compiles.",
		},
		PolicyOutside: {
			Title: "a policy calls a function that rules do not have",
			Text:  "Rules decide from the plan alone, so that the same plan always gets the same decision and nothing leaks: functions that reach the network (http.send, net.lookup_ip_addr), read the clock (time.now_ns), the environment (opa.runtime) or chance (rand.intn, uuid.rfc4122) are not there. What a rule may know stands in its input: the changes, and under input.isobar the environment, commit, actor, trigger, mode, spec and live inventory.",
		},
		PolicySlow: {
			Title: "the policies took too long",
			Text:  "All rules together have a limit for one plan (2 seconds unless set otherwise). The named rule was still running when it was reached; what was not asked counts as denied, so nothing was applied. A loop within a loop over all changes is the usual cause: collect what is needed into a set or an object first, then look it up.",
		},
		PolicyFailed: {
			Title: "a policy broke while it ran",
			Text:  "A rule ran into an error, such as a number expected where there was a text, or two values for one result. A rule that breaks counts as a denial: it may have meant to deny. Mend the line that is named; is_string, is_number and object.get help with fields that may be missing.",
		},
		PolicyShape: {
			Title: "a policy's decision cannot be read",
			Text:  "A deny, violation or warn rule gave something other than a text or an object with msg. It counts as a denial. Write deny contains \"text\" if …, or deny contains {\"msg\": \"text\", \"address\": resource.address} if …; id, path and mend may be given too.",
		},
		PolicyIdle: {
			Title: "a policy has no effect",
			Text:  "A file has deny, violation or warn rules in a package other than main: only package main is asked, other packages are for helpers, so write package main at the file's top. Or a rule asks for a field that no input has, such as input.resource_change for input.resource_changes or rc.change.after.cidr_blok for cidr_block, or for something below data that neither a rule nor a file of data gives: what stands on it is never true, and what stands on its absence always is. Or it compares with a kind that is none, such as aws_vcp for aws_vpc; isobar policy test tells of types that Terraform alone has as well. Or an exception names no rule: it waives a rule by what follows deny_, warn_ or violation_ in its name, so [\"open_ssh\"] for deny_open_ssh.",
		},
		PolicyWaiver: {
			Title: "a waiver accepts nothing",
			Text:  "A waiver of the environment (policy: waivers) names a rule that is none of those that judge it, or its address is of a kind that does not exist. Nothing is let through by it. A rule is named by its code, SG-001, or by its name, deny_open_admin_port; isobar explain lists the codes, also those of the repository's own rules.",
		},
		PolicyAdopted: {
			Title: "what is adopted breaks a policy",
			Text:  "A deny or violation rule decided against an object that the plan adopts and does nothing else to. Adopting writes isobar's mark alone, so the object is no worse for it and the rule only warns. The same rule denies the first plan that changes anything of the object, be it what the rule is about or not. isobar validate, which judges every resource as if it were new, denies it at once. Mend the spec as the mend line says, which the next apply then carries out; or let the object be with a waiver that has a reason and an end: policy: waivers: [{rule: \"S3-001\", address: \"aws.bucket/old\", reason: \"…\", until: \"2027-06-30\"}].",
		},
	}
}

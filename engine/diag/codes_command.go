package diag

// The CMD codes.
const (
	CommandInit     Code = "CMD-701"
	CommandDaemon   Code = "CMD-702"
	CommandEnv      Code = "CMD-703"
	CommandAsk      Code = "CMD-704"
	CommandPlan     Code = "CMD-705"
	CommandNoStore  Code = "CMD-706"
	CommandHeld     Code = "CMD-707"
	CommandNoCode   Code = "CMD-708"
	CommandRepo     Code = "CMD-709"
	CommandFailed   Code = "CMD-710"
	CommandUsage    Code = "CMD-711"
	CommandVerdict  Code = "CMD-712"
	CommandDeclined Code = "CMD-714"
	CommandRun      Code = "CMD-715"
	CommandImport   Code = "CMD-716"
	CommandUnspoken Code = "CMD-717"
	CommandReferred Code = "CMD-718"
	CommandTakeOver Code = "CMD-719"
	CommandFind     Code = "CMD-720"
	CommandWord     Code = "CMD-722"
	CommandCancel   Code = "CMD-724"
	CommandResume   Code = "CMD-725"
	CommandUsed     Code = "CMD-730"
	CommandKept     Code = "CMD-731"
)

// commandPages holds the CMD codes of how commands are typed, and of what they need.
func commandPages() map[Code]Page {
	return map[Code]Page{
		CommandInit: {
			Title: "no repository was written",
			Text: "`isobar init` makes a new repository and never writes over a file. It wrote nothing, because a file that it " +
				"would write is there already or the directory can't be written to. Choose another directory.",
		},
		CommandDaemon: {
			Title: "no daemon answers",
			Text: "Approvals and rejections are given to a running daemon, through the socket beside its store. None answers " +
				"there. Start `isobar serve`, or name the store that it runs on with --store sqlite:PATH.",
		},
		CommandEnv: {
			Title: "no such environment",
			Text: "The repository has no environment of this name, and the store knows none. An environment is a directory " +
				"environments/NAME with a CUE package whose field name is NAME. Correct the name: the message lists those that there are.",
		},
		CommandAsk: {
			Title: "nobody to ask",
			Text: "A change of the world is confirmed by a person, and isobar does not run on a terminal. Look at the plan, " +
				"then name it with --plan, which applies just that plan and no other; or give --auto-approve, which applies " +
				"whatever is planned.",
		},
		CommandNoStore: {
			Title: "no store yet",
			Text: "What isobar knows is kept in a store, and there is none at this path. `isobar apply` makes one " +
				"under .isobar in the repository, as soon as something is to stay in it; a verb that changes nothing leaves none. That of a " +
				"daemon lies in its state directory, as its log and isobar serve --help say, and is named with --store sqlite:PATH.",
		},
		CommandHeld: {
			Title: "the plan can't be carried out",
			Text: "A plan made as if nothing existed yet could not do everything that the spec asks for: objects that need " +
				"each other in their creating calls, for example, can't be made in any order. The message names what is in " +
				"the way, and its mend line what to do about it.",
		},
		CommandNoCode: {
			Title: "no such code",
			Text: "isobar has no finding with this code. Codes stand in brackets behind findings; `isobar explain` without one lists all. " +
				"Rules of a repository have codes of their own, which are explained where its policies are: in its directory, or with -C DIR.",
		},
		CommandRepo: {
			Title: "the directory can't be read",
			Text: "The repository's directory, given with -C or else the current one, is missing, is none or can't be read; or it lacks the commit " +
				"that was asked for. The message says which. Name the directory with -C, an address with --repo, the commit with --rev.",
		},
		CommandFailed: {
			Title: "the command failed",
			Text: "Something that isobar needs for this command did not work: a file, the evaluation's process, a connection. " +
				"The message says what. What was recorded before is kept. Mend what it names and type the command again; what was under way " +
				"is settled first.",
		},
		CommandUsage: {
			Title: "the command line is not understood",
			Text:  "A verb, flag or argument is unknown or missing. Each verb explains itself: `isobar VERB --help`.",
		},
	}
}

// consentPages holds those about plans and runs that a person names or answers.
func consentPages() map[Code]Page {
	return map[Code]Page{
		CommandPlan: {
			Title: "the plan is another one now",
			Text: "Nothing of the plan that --plan names is as it was when it was looked at: the spec, the world or the ledger has " +
				"changed since, as the message says, or it is the plan of another environment or none that was shown. Nothing was " +
				"applied. Read the new plan, then name its digest. Where a part of a plan is still as it was, just that is applied.",
		},
		CommandUsed: {
			Title: "the plan was carried out already",
			Text: "A plan is a consent to do what it shows once. The one that --plan names was applied before, by the run that the message " +
				"names. Where the same is to be done again, since somebody took it back, isobar plan shows it anew, and from then on " +
				"its digest may be named again.",
		},
		CommandVerdict: {
			Title: "no plan waits under that name",
			Text: "An approval names a waiting plan by its digest or the first eight digits of it, as `isobar status` shows it. " +
				"It may have been applied, rejected or replaced by the plan of a newer commit.",
		},
		CommandRun: {
			Title: "no such run",
			Text: "No run has this id, or several begin like this. A run is named by its id or by the beginning of it, as " +
				"`isobar runs` lists them.",
		},
		CommandKept: {
			Title: "no such plan is kept",
			Text: "Of each environment the last 50 plans that people were shown are kept, by pull requests and by isobar plan, and those of " +
				"its runs. None of them has this digest, or several begin like this. Name at least the first eight digits, as in 9c1e-44b0. " +
				"One that is not kept any more is made anew by isobar plan, here or in a comment on its pull request.",
		},
		CommandCancel: {
			Title: "there is nothing to cancel",
			Text: "`isobar cancel` names a run that goes on or waits, by its id, the beginning of it, or its environment. The run has " +
				"ended, or none has that name. What a run has done is not undone by a cancel: edit the spec for that.",
		},
		CommandDeclined: {
			Title: "declined",
			Text:  "The question was answered with no, or the name was typed differently. Nothing was changed.",
		},
	}
}

// objectPages holds those about objects that commands name, or leave in peace.
func objectPages() map[Code]Page {
	return map[Code]Page{
		CommandReferred: {
			Title: "another environment refers to this one",
			Text: "A resource of the environment that is named takes its value from one that would be deleted. What it was given stays as it is, " +
				"but nothing of it can be planned any more until the reference is taken out. isobar graph shows all references. --auto-approve is " +
				"not enough for such a destroy: it wants an answer, or --plan DIGEST of the plan that was looked at.",
		},
		CommandWord: {
			Title: "that object can't be named so",
			Text: "`isobar confirm` names orphans that may be deleted: objects whose spec was lost, not edited, or that bear this " +
				"estate's mark and are in no ledger. It refuses anything else, for that is deleted by editing the spec. `isobar " +
				"forget` names objects that isobar owns or finds by its mark. Both want addresses as a plan prints them.",
		},
		CommandResume: {
			Title: "no such field is paused",
			Text: "In mode auto a field that was put back too often of late is left alone, and `isobar resume` takes it up again. None " +
				"is paused under this name: name it as `isobar status` and the plan's held lines do, as in aws.vpc/main.tags.owner, or " +
				"an address for all its fields, or no name for all of the environment.",
		},
		CommandImport: {
			Title: "the object can't be adopted",
			Text: "`isobar import` checks every object before it writes anything, and one of them is not there, belongs to another " +
				"resource, environment or estate, or can't be compared with its spec. Nothing was adopted. An object has one " +
				"owner: what bears another estate's mark is never taken over. The message says whose it is and what to do: correct the id, or let go " +
				"of the object where it is managed now (`isobar forget ENV ADDRESS`).",
		},
		CommandUnspoken: {
			Title: "the spec has no such resource",
			Text: "An object comes under management as a resource of the spec, and the address that `isobar import` was given is " +
				"not in it. The object is printed as CUE instead: put that into a file of the environment, read it, and type " +
				"the same import again.",
		},
		CommandTakeOver: {
			Title: "nothing to take over",
			Text: "With --take-over `isobar apply` writes the marks of its store on the objects that another store holds, and does " +
				"nothing else. None bears another store's mark where the environment's providers look: the account, the region or " +
				"the credentials may be others than those that it was made with, or nobody made it yet. Nothing was changed.",
		},
		CommandFind: {
			Title: "nothing can be looked for like that",
			Text: "`isobar import` was asked with --find for something that the environment's providers can't be asked for, or " +
				"with --state for a file that is no Terraform state that it can read. --find takes PROVIDER:KIND=ID (that object " +
				"and everything in it), PROVIDER:tag:KEY=VALUE, PROVIDER:name=NAME, PROVIDER:id=ID and PROVIDER:all, where " +
				"PROVIDER is a name under the environment's providers. Nothing was adopted.",
		},
	}
}

package diag

// The SRV codes: the repositories and credentials of a daemon.
const (
	ServerTwice    Code = "SRV-801"
	ServerMayNot   Code = "SRV-802"
	ServerMoved    Code = "SRV-803"
	ServerOpenFile Code = "SRV-804"
	ServerSource   Code = "SRV-805"
	ServerFile     Code = "SRV-806"
	ServerRestart  Code = "SRV-807"
	ServerExposed  Code = "SRV-808"
	ServerForge    Code = "SRV-809"
	ServerSigners  Code = "SRV-810"
)

// serverPages holds the SRV codes.
func serverPages() map[Code]Page {
	return map[Code]Page{
		ServerTwice: {
			Title: "two repositories have an environment of one name",
			Text: "An environment's name is its identity in a daemon, so two repositories can't both have one. The repository " +
				"that had it first keeps it and goes on; the other one's is not worked on. Rename one of them: the directory, the " +
				"package and the name. Nothing is deleted either way.",
		},
		ServerMayNot: {
			Title: "the repository may not hold the environment",
			Text: "The server's file says which environments a repository may hold, and this one's name matches none of the " +
				"globs. It is not worked on, and what it made stays. Rename it, or have the name added to the repository's " +
				"environments in the server's file.",
		},
		ServerMoved: {
			Title: "the environment's objects belong to another repository",
			Text: "The environment left one repository with objects still in the ledger, and another one has it now. Taking them " +
				"over unasked would let whoever can push a directory of this name change or delete them. To move the environment, " +
				"name it under environments of the new repository in the server's file. To start afresh instead, bring it " +
				"back in the old one and destroy it there.",
		},
		ServerOpenFile: {
			Title: "others can read a secret",
			Text: "A file that the server's file names as a secret's source can be read by every user of the machine. Take the " +
				"permission away (chmod o-rwx), or hand the file over as a systemd credential.",
		},
		ServerSource: {
			Title: "a source can't be read now",
			Text: "The source of a secret is a variable that is not set, or a file that is missing, no regular file, too long or " +
				"not readable to isobar; or so is the file of an SSH server's keys. It is read again each time it is needed. Set the variable or mend the file; the daemon " +
				"need not be restarted for a file.",
		},
		ServerFile: {
			Title: "the server's file can't be used",
			Text: "The file that --config or ISOBAR_CONFIG names can't be read, or lacks what the verb needs. Name another one, or " +
				"mend it; isobar serve --config FILE --check says what is wrong with it.",
		},
		ServerExposed: {
			Title: "environments may read the server's own secret",
			Text: "A secret that the server's file names for its own use lies where environments may read theirs: whoever can push to a " +
				"repository could have it sent elsewhere. Move it out of the directories, or rename the variable, that secrets allows.",
		},
		ServerForge: {
			Title: "the forge can't be spoken to",
			Text: "The file of certificates that the server's file names for a forge can't be read or holds none in PEM, or the forge's " +
				"address or the repository's name there is not one that isobar's client takes. Environments are worked on as ever; the " +
				"repository's pull requests are left alone until it is mended.",
		},
		ServerSigners: {
			Title: "the keys of signers can't be read",
			Text: "A file of OpenPGP keys or of allowed signers that requireSigned names is missing, holds what is no key, or has a line " +
				"that isobar does not understand. As long as that is so nobody counts: the last commit that was taken stays in force, and " +
				"no newer one is. The files are read anew at each look at the repository.",
		},
		ServerRestart: {
			Title: "a setting wants a restart",
			Text: "The server's file was read anew. Its repositories, credentials and Slack settings are in force; where the store " +
				"lies, where the daemon listens and the times and workers of its loop are not, until it is started again.",
		},
	}
}

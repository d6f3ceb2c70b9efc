package diag

// gitPages holds the GIT codes.
func gitPages() map[Code]Page {
	return map[Code]Page{
		"GIT-501": {
			Title: "repository out of reach",
			Text: "The Git server did not answer, or broke off. isobar goes on with the last commit that it fetched and " +
				"tries again at the next poll. Check the address, the network and the proxy.",
		},
		"GIT-502": {
			Title: "repository denied",
			Text: "The Git server refused the credentials that the message names, or a local repository belongs to another user. With " +
				"401 the server does not know the token: renew it. With 403 it does, and the token lacks read access to this repository: " +
				"give it that. For a local repository run isobar as its owner. The last commit that was fetched stays in force meanwhile.",
		},
		"GIT-503": {
			Title: "repository not found",
			Text: "Nothing is at this address. It may have been moved, renamed or deleted, or the token may not see it: " +
				"several forges answer the same for both. Nothing is destroyed because of it.",
		},
		"GIT-504": {
			Title: "branch gone",
			Text: "The repository is there, but the followed branch is not, or it has no branch at all any more. isobar keeps the " +
				"last commit that it fetched and destroys nothing. Push the branch again, or name another one; isobar goes on by itself then.",
		},
		"GIT-505": {
			Title: "empty repository",
			Text:  "The repository has no commit yet. Push a first one; `isobar init` writes what it needs.",
		},
		"GIT-506": {
			Title: "mirror damaged",
			Text: "isobar's own copy of the repository can't be read. The next fetch makes a fresh copy beside it and " +
				"then replaces it; if that fails again, check the disk.",
		},
		"GIT-507": {
			Title: "unknown revision",
			Text:  "No commit, branch or tag has this name in the copy that isobar holds. Fetch first, or check the spelling.",
		},
		"GIT-508": {
			Title: "file too large",
			Text: "A file of the commit exceeds the limit for files that isobar reads: take it out of the paths it evaluates. Or a " +
				"pull request changes more than can be merged: make several smaller ones of it, or merge its base into it by hand.",
		},
		"GIT-509": {
			Title: "address not understood",
			Text:  "The address of a repository is a path, USER@HOST:PATH, file://, http://, https:// or ssh://.",
		},
		"GIT-510": {
			Title: "server not trusted",
			Text: "The SSH server showed a host key that the known_hosts file does not hold, or not for this host; or a server of " +
				"https:// showed a certificate of an authority that this machine does not trust. isobar " +
				"sends it nothing and goes on with the last commit that it fetched. An unknown host: compare the fingerprint " +
				"with the one that its owner publishes and add the key, as the message says. A changed key: ask the owner " +
				"first, since somebody may sit in between. An authority of your own: let the machine trust it, or name its file: ca of " +
				"the repository in the server's file, ISOBAR_GIT_CA without one. The check can't be turned off.",
		},
		"GIT-511": {
			Title: "mirror not writable",
			Text: "The disk under isobar's own copy of the repository is full, or may not be written. isobar goes on with the last commit " +
				"that it fetched. The server and the network are not at fault. Free space, or mend the mount; the next fetch goes on.",
		},
		"GIT-512": {
			Title: "unrelated histories",
			Text: "The branch of a pull request and the one that it is to be merged into have no commit in common, so that nobody " +
				"can tell what it changes. Begin the branch again from the one that it is to be merged into.",
		},
		"GIT-513": {
			Title: "head not signed by anybody who counts",
			Text: "The server's file says requireSigned of this repository, and the head of its branch is not signed, or not by a key that " +
				"counts now; the message says whose it is. The last commit that was taken stays in force, drift of it is put back as ever, and " +
				"nothing of the new one is applied. Sign it anew (`git commit --amend --no-edit -S`) or put a signed commit on top; or, if its " +
				"key is to count, add that to the files which requireSigned names. Where a forge merges pull requests, its own key has to count.",
		},
	}
}

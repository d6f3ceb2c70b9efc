package diag

// The STORE codes.
const (
	StoreLocked   Code = "STORE-601"
	StoreNewer    Code = "STORE-602"
	StoreFull     Code = "STORE-603"
	StoreCorrupt  Code = "STORE-604"
	StoreTampered Code = "STORE-605"
	StoreFenced   Code = "STORE-606"
	StoreConflict Code = "STORE-607"
	StoreBackup   Code = "STORE-611"
	StoreRestore  Code = "STORE-612"
	StorePlace    Code = "STORE-608"
	StoreDenied   Code = "STORE-609"
	StoreAway     Code = "STORE-610"
)

// storePages holds the STORE codes.
func storePages() map[Code]Page {
	return map[Code]Page{
		StoreLocked: {
			Title: "another process holds the store",
			Text: "A store belongs to one process at a time, so that two of them never make the same change twice. " +
				"The message says which process holds it and since when. Talk to it through its socket, or stop it first.",
		},
		StoreNewer: {
			Title: "the store was written by a newer isobar",
			Text: "The store's tables are of a later version than this program knows, and it will not guess at their meaning. " +
				"Run the newer isobar again, or restore the copy of the store that was made before the upgrade.",
		},
		StoreFull: {
			Title: "the store cannot be written to",
			Text: "The disk is full or fails, or the file may not be written. No change is made while its intent cannot be recorded; " +
				"status, runs and audit still read what was recorded before, while plan and apply want room: they first settle what an earlier run left open. " +
				"Free space or mend the permissions: a daemon goes on by itself and tells then what it had done, and a command is typed again.",
		},
		StoreCorrupt: {
			Title: "the store is damaged",
			Text: "The file is not a store, or parts of it cannot be read. Restore it from a copy. " +
				"Objects that were made since that copy bear isobar's marks and are found again by them.",
		},
		StoreTampered: {
			Title: "the audit log was altered",
			Text: "Each row of the audit log carries a hash that covers the row before it and the events that were written with it. " +
				"The row that the message names, as it reads now, is not the one that was written: somebody changed the store past " +
				"isobar, or the disk did. What came before that row is proved. Find out who can write to the store; compare the row " +
				"with a backup; a backup that `isobar store restore` accepts was whole when it was made.",
		},
		StoreBackup: {
			Title: "no backup was made",
			Text: "A backup is written beside its name, read back and checked, and only then given the name, so there is never half " +
				"a one. The message says what was in the way: a file of that name, which --force replaces; a disk without room; " +
				"or a store in PostgreSQL, which pg_dump copies.",
		},
		StoreRestore: {
			Title: "the store was not restored",
			Text: "A file becomes the store only if all of it can be read, its audit log is unbroken and its tables are of a version " +
				"that this program knows. The message says what is wrong with this one. The store stayed as it was. Take another backup; `isobar store restore FILE --check` " +
				"says beforehand whether one will do.",
		},
		StoreFenced: {
			Title: "another process works on the environment",
			Text: "Only the process that holds an environment's lease may change anything in it. " +
				"This one does not hold it, or holds it no more, and has stopped before doing anything further. Wait for the other one, which `isobar runs` shows, or stop it; " +
				"then plan again: what was begun is settled first.",
		},
		StoreConflict: {
			Title: "the ledger has moved on",
			Text: "Something was recorded in this environment after it was read, so what was decided from it may be wrong. " +
				"Nothing was written. Plan again.",
		},
		StorePlace: {
			Title: "no store can be at this path",
			Text: "The store is a file. Its directory is missing, or the path names something else. A store's directory is not made " +
				"unasked, for a misspelt path would begin a ledger that knows of nothing. Make the directory, or mend --store.",
		},
		StoreDenied: {
			Title: "the store belongs to another user",
			Text: "A store and a daemon's control socket can be used by the user that made them alone: whoever can write to them decides " +
				"what is changed. The message says whose they are. Run the command as that user.",
		},
		StoreAway: {
			Title: "the store's server cannot be used",
			Text: "PostgreSQL does not answer at the address that was given, or does not let this account in, or broke off. " +
				"No change is made while its intent cannot be recorded; a daemon goes on once the server answers again. One that starts and meets nobody there " +
				"waits for a minute; one that is turned away ends at once.",
		},
	}
}

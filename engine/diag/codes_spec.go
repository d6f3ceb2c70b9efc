package diag

// specPages holds the SPEC codes: findings in the CUE files of a repository.
func specPages() map[Code]Page {
	return map[Code]Page{
		"SPEC-101": {Title: "a file is not valid CUE", Text: "The file cannot be parsed at the place shown. Correct the syntax there; cue fmt and the editor show the same place. Nothing of the environment is evaluated before all its files can be parsed."},
		"SPEC-102": {Title: "a field does not exist", Text: "Environments, settings and resources are closed: a field that their schema does not have is refused, so that a misspelt one is never silently ignored. Correct the name. At the top of an environment write helpers as hidden fields (_name), definitions (#Name) or let."},
		"SPEC-103": {Title: "a field is missing", Text: "The schema asks for this field and has no default. Add it; the message says what it holds."},
		"SPEC-104": {Title: "a value is not allowed", Text: "The value has the wrong type or form, is out of range, or is given twice with different values. The message says what the field wants; where two places give a value, keep one."},
		"SPEC-105": {Title: "a reference leads nowhere", Text: "A name, resource or output that is referred to does not exist. Correct the name, or define what is missing. Outputs of a resource stand under its #out, such as aws.vpc.main.#out.id."},
		"SPEC-106": {Title: "a reference is written by hand", Text: "References are made by a resource's #out, which is checked; the text that they consist of may not be typed. Replace it by the resource's output, such as aws.vpc.main.#out.id."},
		"SPEC-107": {Title: "a kind does not exist", Text: "The provider has no kind of this name. Correct the name; the reference lists the kinds of each provider."},
		"SPEC-108": {Title: "an import cannot be served", Text: "An environment may import isobar.dev/schemas, CUE's own packages and packages of its own repository. Nothing is loaded from a registry. Copy a shared package into the repository, correct the path, or remove an import that is not used."},
		"SPEC-109": {Title: "package and directory disagree", Text: "An environment's directory, its CUE package and its name are one and the same. A file with another package clause, or with none, would be left out of the evaluation, so it is refused. Correct the clause, or move the file."},
		"SPEC-110": {Title: "something stands twice", Text: "Two environments have one name, or two elements of a list have one key, such as two routes to one destination. Rename or remove one of them."},
		"SPEC-111": {Title: "an environment does not exist", Text: "No directory that isobar.cue names as a place of environments has this name and a CUE file in it. Correct the name, or add the directory."},
		"SPEC-112": {Title: "evaluation needs too much memory", Text: "Each environment is evaluated within a limit of memory, so that one cannot stop the others. Look for lists, texts or comprehensions that grow without need, or split the environment."},
		"SPEC-113": {Title: "evaluation takes too long", Text: "Each environment is evaluated within a limit of processor time and of time by the clock. Look for comprehensions within comprehensions and for definitions that multiply, or split the environment."},
		"SPEC-114": {Title: "input or result is too large", Text: "A file, all files of an environment together, or the evaluated result are beyond their limit. Move data that isobar need not read elsewhere, or split the environment."},
		"SPEC-115": {Title: "evaluation broke down", Text: "The evaluator ended without a result, most often because expressions nest too deeply. Take out half of the files to find the part that does it; if it is ordinary CUE, report it."},
		"SPEC-116": {Title: "no such provider", Text: "A resource lives on the provider whose key is the provider's own name, or on the alias that $meta: provider names. That alias must stand under providers and be of the resource's type."},
		"SPEC-117": {Title: "a reference does not fit", Text: "The field wants another kind's id, or stands where references are not resolved: providers are set up before anything is read, so their settings are plain values."},
		"SPEC-118": {Title: "movedFrom does not fit", Text: "movedFrom names the address that a resource had before it was renamed. It must be of the same kind, no longer in use, and claimed by one resource only. Remove it once the move is applied."},
		"SPEC-119": {Title: "ignoreChanges names no field", Text: "Each entry is the path of a field of the resource, such as tags or tags.Owner. Correct or remove it."},
		"SPEC-120": {Title: "address blocks collide", Text: "A block lies outside that of the resource it belongs to, overlaps another one within it, or does not start at its own first address. Choose another block."},
		"SPEC-121": {Title: "an attribute has no effect", Text: "Attributes declare how fields behave, and isobar reads them in its own schemas alone. In a repository's files they are ignored; remove them."},
		"SPEC-122": {Title: "a name is not possible", Text: "Resources are named by letters, digits, _, . and -; environments by lower-case letters, digits and _, a letter first, since their directory names a CUE package. Choose another name."},
		"SPEC-123": {Title: "fields exclude each other", Text: "Of the fields listed exactly one is set: such as one target of a route, or one peer of a security group's rule. Set one, remove the others."},
		"SPEC-124": {Title: "no repository to read", Text: "A repository has cue.mod/module.cue and isobar.cue at its root. isobar init writes both in an empty directory; in an existing one add what is missing."},
		"SPEC-125": {Title: "evaluation could not be prepared", Text: "isobar's own schemas could not be read. This is a fault of the program; report it with its version."},
		"SPEC-126": {Title: "the copy of the schemas differs", Text: "Editors and cue vet read the copy in .schemas; isobar evaluates with its own. They differ, so the two may disagree. Replace the copy by that of this version: move .schemas away and copy it from a repository that isobar init writes."},
		"SPEC-127": {Title: "no such secret", Text: "A secret is referred to by a name that the environment's secrets bind to its source. Add the name there, or correct it."},
		"SPEC-128": {Title: "a value is not definite", Text: "Evaluation leaves the field open: a type, a range or an unresolved expression instead of one value. Give it a value, or a default."},
		"SPEC-129": {Title: "a file cannot be read", Text: "A file of the repository cannot be read, or is no regular file. Links are not followed, so that nothing outside the repository is read."},
		"SPEC-130": {Title: "a secret can't stand here", Text: "A secret is a struct, {$secret: \"name\"}, and stands alone in a field whose type has it as an alternative: the reference of kinds says \"string or secret\". It can't be part of a text by interpolation, nor stand in settings of providers. Put the whole text into the secret's source, or write the value itself where it is none."},
		"SPEC-132": {Title: "a lookup says more than what to look for", Text: "A lookup, such as an AMI by its parameter, finds something that isobar did not make and writes down which. It is asked before anything else is known, so its fields are plain values: no reference and no secret. Nothing is created, changed or deleted, so of $meta only provider and movedFrom mean anything to it."},
	}
}

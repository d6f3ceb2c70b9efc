package spec

import (
	"errors"
	"io/fs"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"

	"isobar.dev/engine/resource"
)

// DescribeServer gives the fields of a server's file as a schema module defines
// them, with what it says of the whole.
func DescribeServer(schemas fs.FS) (doc string, fields []resource.Field, err error) {
	cfg := &load.Config{FS: schemas, Dir: "/", ModuleRoot: "/", Registry: refuseRegistry{}}
	inst := load.Instances([]string{"."}, cfg)[0]
	if inst.Err != nil {
		return "", nil, inst.Err
	}
	def := cuecontext.New().BuildInstance(inst).LookupPath(cue.ParsePath("#Server"))
	if !def.Exists() {
		return "", nil, errors.New("the schemas have no #Server")
	}
	fields, err = describeFields(def)
	return docOf(def), fields, err
}

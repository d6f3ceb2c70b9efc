// Package engine is the house that isobar's packages live in. It holds no code:
// its test reads every import of the module and fails on one that the floor
// table forbids. It must not be imported. Floor: none.
package engine

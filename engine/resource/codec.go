package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Encode writes v as canonical JSON: keys sorted, no spaces, the same bytes
// for the same value. References are their "${isobar:…}" strings; text that
// happens to look like one is {"$string":…}; Secret, Unknown and Unread are
// objects with one reserved key; a user's key that starts with "$" gets one
// more. Decode reads it back.
func Encode(v Value) []byte { return appendValue(nil, v) }

func appendValue(b []byte, v Value) []byte {
	switch x := v.(type) {
	case nil, Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, bool(x))
	case Int:
		return strconv.AppendInt(b, int64(x), 10)
	case Float:
		return strconv.AppendFloat(b, float64(x), 'g', -1, 64)
	case String:
		if strings.Contains(string(x), refOpen) {
			return append(appendText(append(b, `{"$string":`...), string(x)), '}')
		}
		return appendText(b, string(x))
	case Ref:
		return appendText(b, x.String())
	case Template:
		return appendTemplate(b, x)
	case Secret:
		return appendSecret(b, x)
	case Unknown:
		because := ""
		if !x.Because.Address.IsZero() {
			because = x.Because.String()
		}
		return append(appendText(append(b, `{"$unknown":`...), because), '}')
	case Unread:
		return append(appendText(append(b, `{"$unread":`...), x.Why), '}')
	case List:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range x.Keys() {
			if i > 0 {
				b = append(b, ',')
			}
			if strings.HasPrefix(k, "$") {
				b = appendText(b, "$"+k)
			} else {
				b = appendText(b, k)
			}
			b = appendValue(append(b, ':'), x[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...) // there is no other Value: the interface is closed
}

// appendTemplate writes a template as the string that ParseText reads, unless
// that would read as anything else.
func appendTemplate(b []byte, t Template) []byte {
	text := t.String()
	if v, err := ParseText(text); err == nil && Equal(v, t) {
		return appendText(b, text)
	}
	return append(appendValue(append(b, `{"$template":`...), List(t)), '}')
}

func appendSecret(b []byte, s Secret) []byte {
	b = appendText(append(b, `{"$secret":`...), s.Name)
	for _, f := range [...]struct{ key, text string }{{"field", s.Field}, {"hmac", s.MAC}, {"version", s.Version}} {
		if f.text != "" {
			b = append(append(append(b, `,"`...), f.key...), `":`...)
			b = appendValue(b, String(f.text))
		}
	}
	return append(b, '}')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			var buf bytes.Buffer
			e := json.NewEncoder(&buf)
			e.SetEscapeHTML(false)
			_ = e.Encode(s) // a string always encodes into a buffer
			return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// maxDepth bounds the nesting that Decode accepts.
const maxDepth = 200

// Decode reads one JSON value, as Encode wrote it or as a spec's evaluation
// gives it. References within strings are parsed. Numbers beyond 64 bits
// become Float. It accepts no more than 200 levels and no trailing data.
func Decode(data []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decodeNext(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func decodeNext(d *json.Decoder, depth int) (Value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case nil:
		return Null{}, nil
	case bool:
		return Bool(t), nil
	case json.Number:
		return decodeNumber(t)
	case string:
		return ParseText(t)
	case json.Delim:
		if t == '[' {
			return decodeList(d, depth)
		}
		return decodeMap(d, depth)
	}
	return nil, fmt.Errorf("unexpected %v", tok)
}

func decodeNumber(n json.Number) (Value, error) {
	if i, err := n.Int64(); err == nil {
		return Int(i), nil
	}
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("number %s is out of range", n)
	}
	return Number(f), nil
}

func decodeList(d *json.Decoder, depth int) (Value, error) {
	out := List{}
	for d.More() {
		v, err := decodeNext(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err
}

func decodeMap(d *json.Decoder, depth int) (Value, error) {
	out := Map{}
	reserved := ""
	var held Value // what stands under the reserved key
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := tok.(string) // a key always is text
		switch {
		case isReserved(key) && reserved != "":
			return nil, fmt.Errorf("%s may not stand beside %s", key, reserved)
		case isReserved(key):
			reserved = key
			if held, err = decodeHeld(d, key, depth); err != nil {
				return nil, err
			}
			continue
		case strings.HasPrefix(key, "$$"):
			key = key[1:]
		}
		if out[key], err = decodeNext(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if reserved == "" {
		return out, nil
	}
	return withRest(reserved, held, out)
}

// isReserved reports whether a key of an object in JSON is no field's name.
func isReserved(key string) bool {
	return strings.HasPrefix(key, "$") && !strings.HasPrefix(key, "$$") && key != "$meta"
}

// decodeHeld reads the value under a reserved key.
func decodeHeld(d *json.Decoder, key string, depth int) (Value, error) {
	switch key {
	case "$template":
		v, err := decodeNext(d, depth+1)
		if err != nil {
			return nil, err
		}
		parts, ok := v.(List)
		if !ok {
			return nil, fmt.Errorf("%s wants a list", key)
		}
		return Template(parts), nil
	case "$secret", "$string", "$unread", "$unknown":
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		text, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("%s wants text", key)
		}
		return fromText(key, text), nil
	}
	return nil, fmt.Errorf("the key %s is reserved: write $%s for a field of that name", key, key)
}

func fromText(key, text string) Value {
	switch key {
	case "$secret":
		return Secret{Name: text}
	case "$unread":
		return Unread{Why: text}
	case "$unknown":
		v, _ := ParseText(text)
		r, _ := v.(Ref) // anything else says nothing
		return Unknown{Because: r}
	}
	return String(text)
}

// withRest joins what a reserved key holds with the keys beside it: only a
// secret has some.
func withRest(reserved string, held Value, rest Map) (Value, error) {
	s, secret := held.(Secret)
	for _, key := range rest.Keys() {
		text, ok := rest[key].(String)
		switch {
		case secret && ok && key == "field":
			s.Field = string(text)
		case secret && ok && key == "version":
			s.Version = string(text)
		case secret && ok && key == "hmac":
			s.MAC = string(text)
		default:
			return nil, fmt.Errorf("%s may not stand beside %s", key, reserved)
		}
	}
	if secret {
		return s, nil
	}
	return held, nil
}

func mapPointer(m Map) uintptr { return reflect.ValueOf(m).Pointer() }

// MarshalJSON writes the map with Encode, so that an Object's JSON round-trips.
func (m Map) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	return Encode(m), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Map) UnmarshalJSON(b []byte) error {
	v, err := Decode(b)
	if err != nil {
		return err
	}
	switch x := v.(type) {
	case Map:
		*m = x
	case Null:
		*m = nil
	default:
		return fmt.Errorf("want an object, got %T", v)
	}
	return nil
}

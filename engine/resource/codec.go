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
		return appendPlain(b, map[string]string{"$secret": x.Name, "field": x.Field, "hmac": x.MAC, "version": x.Version})
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
	panic(fmt.Sprintf("resource: no encoding for %T", v))
}

// appendTemplate writes a template as the string that ParseText reads, unless
// one of its literal parts would then read as a reference.
func appendTemplate(b []byte, t Template) []byte {
	plain := true
	for _, p := range t {
		switch x := p.(type) {
		case Ref:
		case String:
			plain = plain && !strings.Contains(string(x), "${isobar") && !strings.Contains(string(x), "$")
		default:
			plain = false
		}
	}
	if plain {
		return appendText(b, t.String())
	}
	return append(appendValue(append(b, `{"$template":`...), List(t)), '}')
}

func appendPlain(b []byte, m map[string]string) []byte {
	for k, v := range m {
		if v == "" && !strings.HasPrefix(k, "$") {
			delete(m, k)
		}
	}
	j, _ := json.Marshal(m) // a map of strings always encodes
	return append(b, j...)
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
	var text map[string]string // the raw text of reserved keys
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := tok.(string)
		if strings.HasPrefix(key, "$") && !strings.HasPrefix(key, "$$") && key != "$template" && key != "$meta" {
			var s string
			if err := d.Decode(&s); err != nil {
				return nil, fmt.Errorf("%s wants text: %w", key, err)
			}
			if text == nil {
				text = map[string]string{}
			}
			text[key] = s
			continue
		}
		v, err := decodeNext(d, depth+1)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(key, "$$") {
			key = key[1:]
		}
		out[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if t, ok := out["$template"].(List); ok && len(out) == 1 {
		return Template(t), nil
	}
	if text == nil {
		return out, nil
	}
	return decodeReserved(text, out)
}

func decodeReserved(text map[string]string, rest Map) (Value, error) {
	for key, s := range text {
		switch key {
		case "$secret":
			return Secret{Name: s, Field: rest.Text("field"), Version: rest.Text("version"), MAC: rest.Text("hmac")}, nil
		case "$string":
			return String(s), nil
		case "$unread":
			return Unread{Why: s}, nil
		case "$unknown":
			if v, err := ParseText(s); err == nil {
				if r, ok := v.(Ref); ok {
					return Unknown{Because: r}, nil
				}
			}
			return Unknown{}, nil
		}
	}
	for key := range text {
		return nil, fmt.Errorf("the key %s is reserved", key)
	}
	return rest, nil
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

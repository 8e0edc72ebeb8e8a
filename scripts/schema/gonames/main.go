// Command gonames writes, as JSON, the Go names of the fields of every struct that a Pod is made of, where the name is
// not the JSON name with a capital: {"core/v1.PodSpec": {"dnsPolicy": "DNSPolicy"}}. A field of an embedded struct is
// listed with the embedded struct.
package main

import (
	"encoding/json"
	"log"
	"os"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

type names map[string]map[string]string

func typeName(t reflect.Type) string {
	elements := strings.Split(t.PkgPath(), "/")
	return strings.Join(elements[max(0, len(elements)-2):], "/") + "." + t.Name()
}

func (n names) add(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		n.add(t.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	name := typeName(t)
	if _, done := n[name]; done || t == reflect.TypeFor[json.RawMessage]() {
		return
	}
	n[name] = map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		jsonName, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if jsonName != "" && jsonName != "-" && f.Name != strings.ToUpper(jsonName[:1])+jsonName[1:] {
			n[name][jsonName] = f.Name
		}
		n.add(f.Type)
	}
}

func main() {
	found := names{}
	found.add(reflect.TypeFor[corev1.Pod]())
	for name, fields := range found {
		if len(fields) == 0 {
			delete(found, name)
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(found); err != nil {
		log.Fatal(err)
	}
}

// Command schema writes, as JSON, the Go types that a Kubernetes object with a pod template is made of:
// for every struct its JSON fields in the order of declaration, and for every other named type what it is named for.
package main

import (
	"encoding/json"
	"log"
	"os"
	"reflect"
	"strings"

	openshiftv1 "github.com/openshift/api/apps/v1"
	appsv1 "k8s.io/api/apps/v1"
	appsv1beta1 "k8s.io/api/apps/v1beta1"
	appsv1beta2 "k8s.io/api/apps/v1beta2"
	batchv1 "k8s.io/api/batch/v1"
	batchv1beta1 "k8s.io/api/batch/v1beta1"
	corev1 "k8s.io/api/core/v1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
)

// leaves are the types that read and write themselves as one JSON value.
var leaves = map[string]bool{
	"api/resource.Quantity": true, "util/intstr.IntOrString": true, "meta/v1.Time": true,
	"meta/v1.MicroTime": true, "meta/v1.FieldsV1": true, "pkg/runtime.RawExtension": true,
}

// roots are the objects that kube-inject reads into Go types.
var roots = []any{
	corev1.Pod{}, corev1.PodTemplate{}, corev1.ReplicationController{}, corev1.List{},
	appsv1.Deployment{}, appsv1.StatefulSet{}, appsv1.DaemonSet{}, appsv1.ReplicaSet{},
	appsv1beta2.Deployment{}, appsv1beta2.StatefulSet{}, appsv1beta2.DaemonSet{}, appsv1beta2.ReplicaSet{},
	appsv1beta1.Deployment{}, appsv1beta1.StatefulSet{},
	extensionsv1beta1.Deployment{}, extensionsv1beta1.DaemonSet{}, extensionsv1beta1.ReplicaSet{},
	batchv1.Job{}, batchv1.CronJob{}, batchv1beta1.CronJob{},
	openshiftv1.DeploymentConfig{},
}

type field struct {
	Path     string `json:"path"` // names of embedded structs and the JSON name, joined by dots
	Type     string `json:"type"`
	Options  string `json:"options"` // omitempty, omitzero
	Strategy string `json:"strategy"`
	MergeKey string `json:"mergeKey"`
}

type schema struct {
	Structs map[string][]field `json:"structs"`
	Named   map[string]string  `json:"named"`
}

// name is the last two elements of the package's path and the type's own name: core/v1.Container. OpenShift's
// packages are called like Kubernetes', so theirs begin with openshift/.
func name(t reflect.Type) string {
	elements := strings.Split(t.PkgPath(), "/")
	prefix := ""
	if strings.HasPrefix(t.PkgPath(), "github.com/openshift/") {
		prefix = "openshift/"
	}
	return prefix + strings.Join(elements[max(0, len(elements)-2):], "/") + "." + t.Name()
}

// expression is the type as Go writes it, with names as above; what it is made of is described on the way.
func (s schema) expression(t reflect.Type) string {
	if t.PkgPath() == "" {
		return s.unnamed(t)
	}
	known := name(t)
	if leaves[known] {
		return known
	}
	if t.Kind() == reflect.Struct {
		if _, done := s.Structs[known]; !done {
			s.Structs[known] = nil // a type may hold itself
			s.Structs[known] = s.fields(t, "")
		}
	} else if _, done := s.Named[known]; !done {
		s.Named[known] = s.unnamed(t)
	}
	return known
}

func (s schema) unnamed(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + s.expression(t.Elem())
	case reflect.Slice:
		return "[]" + s.expression(t.Elem())
	case reflect.Map:
		return "map[" + s.expression(t.Key()) + "]" + s.expression(t.Elem())
	}
	return t.Kind().String()
}

func (s schema) fields(t reflect.Type, prefix string) []field {
	found := []field{}
	for i := range t.NumField() {
		f := t.Field(i)
		jsonName, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && jsonName == "":
			found = append(found, s.fields(f.Type, prefix+f.Name+".")...)
		case jsonName != "-" && f.IsExported():
			found = append(found, field{prefix + jsonName, s.expression(f.Type), strings.ReplaceAll(options, "inline", ""),
				f.Tag.Get("patchStrategy"), f.Tag.Get("patchMergeKey")})
		}
	}
	return found
}

func main() {
	log.SetFlags(0)
	s := schema{Structs: map[string][]field{}, Named: map[string]string{}}
	for _, root := range roots {
		s.expression(reflect.TypeOf(root))
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		log.Fatal(err)
	}
}

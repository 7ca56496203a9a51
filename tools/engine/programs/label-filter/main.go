// Command label-filter judges a label filter with Ginkgo's own parser, and shows which sets of labels it selects.
//
//	label-filter [--labels A,B]... FILTER
//
// Exit codes: 0 the filter parses, 1 it does not (the parser's message is on stderr), 2 wrong usage.
// For each --labels, in order, one line says `true` when the filter selects a test with these labels, else `false`;
// an empty set is a test without labels. As in Ginkgo, an empty filter selects everything.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"
)

func main() {
	formatter.SingletonFormatter = formatter.NewWithNoColorBool(true)
	os.Exit(judge(os.Args[1:], os.Stdout, os.Stderr))
}

func judge(arguments []string, out, problems io.Writer) int {
	flags := flag.NewFlagSet("label-filter", flag.ContinueOnError)
	flags.SetOutput(problems)
	version := flags.Bool("version", false, "print the version of Ginkgo and end")
	var sets [][]string
	flags.Func("labels", "labels of one test, separated by commas; repeatable", func(value string) error {
		sets = append(sets, strings.FieldsFunc(value, func(letter rune) bool { return letter == ',' }))
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	if *version {
		fmt.Fprintln(out, types.VERSION)
		return 0
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(problems, "label-filter takes one filter; flags stand before it")
		return 2
	}
	selects, err := types.ParseLabelFilter(flags.Arg(0))
	if err != nil {
		fmt.Fprintln(problems, err)
		return 1
	}
	for _, labels := range sets {
		fmt.Fprintln(out, selects(labels))
	}
	return 0
}

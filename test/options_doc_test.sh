#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/options.md is what the table of options says: options_doc_test.sh BUILD-DIRECTORY
set -u

if "$1/options_table" | diff "$(dirname "$0")/../docs/options.md" -; then
    echo "ok docs/options.md is up to date"
else
    echo "not ok docs/options.md: cmake --build $1 --target options_doc"
    exit 1
fi

#!/bin/sh
# Owns what must be there before anything is compiled: the npm packages of the lock file, and Node 24 in build/node/bin.
# Does not own compiling or running. Does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."

# Judged by content, not by date: a checkout gives files new dates without changing them.
installed=node_modules/.zopp-lock.json
if ! cmp -s package-lock.json "$installed"; then
  command -v npm >/dev/null || { echo "npm is needed to install packages: install Node.js (https://nodejs.org)" >&2; exit 1; }
  echo "installing npm packages" >&2
  npm ci --loglevel=error --no-progress >&2
  cp package-lock.json "$installed"
fi

new_enough='const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 24 || (major === 24 && minor >= 7) ? 0 : 1)'
runs() { "$1" -e "$new_enough" >/dev/null 2>&1; }

node=build/node/bin/node
runs "$node" && exit 0
mkdir -p build/node/bin
case "$(uname -m)" in x86_64 | amd64) arch=x64 ;; aarch64 | arm64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
package="node_modules/node-$(uname -s | tr '[:upper:]' '[:lower:]')-$arch/bin/node"
machine=$(command -v node || true)
if runs "$package"; then
  ln -sfn "../../../$package" "$node"
elif [ -n "$machine" ] && runs "$machine"; then
  ln -sfn "$machine" "$node"
else
  echo "Node.js 24.7 or later is needed (ML-KEM in node:crypto); $package does not run here and" >&2
  echo "the machine's node is ${machine:-absent} $("${machine:-false}" --version 2>/dev/null || true): install one from https://nodejs.org" >&2
  exit 1
fi

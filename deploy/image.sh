#!/bin/sh
# Collects the files of the container image: `image.sh PROGRAM FOLDER`. `root` gets the program, its
# shared libraries, the certificates of public authorities for an upstream, and a temporary folder.
# `own` gets the files of the server's user: the place for a data volume. There is no shell.
set -eu
program=$1
root=$2/root

mkdir -p "$2/own/data" "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/rehearsal" "$root/tmp"
chmod 1777 "$root/tmp"
cp "$program" "$root/usr/local/bin/rehearsal"
strip "$root/usr/local/bin/rehearsal"
ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

#!/bin/sh
# Collects the files of the container image: `image.sh PROGRAM FOLDER`. Below `root`: the program, the libraries that it is
# linked to, the certificates of public authorities for an upstream, a temporary folder. Below `own`: what belongs to the user
# of the server, the place for a data volume. No shell.
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

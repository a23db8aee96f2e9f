# What programs expect of files, tried on a folder of the host. Argument: an empty folder there. A line for each check, "ok" or
# "FAIL" in front, and "done" at the end.
cd "$1" || exit 1

# is NAME WANTED GOT
is() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: '$3' instead of '$2'"; fi
}

# fails NAME COMMAND…
fails() {
  name=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "FAIL $name: it succeeded"; else echo "ok $name"; fi
}

# A handle that is older than the link which has its folder's name.
mkdir d
echo mine >d/hostname
exec 3<>d/hostname
rm d/hostname
rmdir d
ln -s /etc d
is 'removed, its folder replaced by a link' mine "$(cat <&3)"
exec 3>&-
rm d

echo one >f
exec 3<f 4>>f
rm f
echo two >&4
is 'removed while open' 'one two' "$(cat <&3 | xargs)"
exec 3>&- 4>&-
fails 'and gone afterwards' test -e f

echo one >f
exec 4>>f
mv f g
echo another >f
echo two >&4
exec 4>&-
is 'renamed while open' 'one two' "$(xargs <g)"
is 'the name is another file' another "$(cat f)"
echo replaced >h
exec 3<g
mv h g
is 'replaced while open' 'one two' "$(xargs <&3)"
is 'and new' replaced "$(cat g)"
exec 3>&-

printf 12345 >f
printf 67 >>f
is append 1234567 "$(cat f)"
truncate -s 3 f
is 'cut off' 123 "$(cat f)"
truncate -s 10000 f
is 'made longer' '10000 9997' "$(stat -c %s f) $(tr -dc '\0' <f | wc -c)"
: >f
is emptied 0 "$(stat -c %s f)"
printf end | dd of=f bs=1 seek=3000000000 conv=notrunc 2>/dev/null
is 'beyond 2 GB' '3000000003 end' "$(stat -c %s f) $(tail -c 3 f)"
rm f
set -C
fails 'made only if it is not there' eval 'echo x >g'
set +C

ln -s g link
is 'symbolic link' 'g replaced' "$(readlink link) $(cat link)"
echo through >link
is 'written through a link' through "$(cat g)"
ln -s nowhere dangling
fails 'link to nothing' cat dangling
ln g hard
is 'hard link' '2 through' "$(stat -c %h g) $(cat hard)"
is 'the same file' "$(stat -c %i g)" "$(stat -c %i hard)"
rm g
is 'one name less' '1 through' "$(stat -c %h hard) $(cat hard)"
mkdir sub
ln link sub/link
is 'hard link to a link' g "$(readlink sub/link)"
rm -r link dangling sub

umask 0
for mode in 640 400 777 0; do
  chmod $mode hard
  is "mode $mode" $mode "$(stat -c %a hard)"
done
chmod 6755 hard
is 'no set-user-ID' 755 "$(stat -c %a hard)"
umask 022
mkdir -m 700 private
is 'mode of a folder' 700 "$(stat -c %a private)"
chmod 1777 private
is 'sticky folder' 1777 "$(stat -c %a private)"
(umask 277; echo locked >locked)
is 'written, though it may not be opened for that' '400 locked' "$(stat -c %a locked) $(cat locked)"

touch -d '2001-02-03 04:05:06' hard
is 'time of change' 981173106 "$(stat -c %Y hard)"
touch -a hard
is 'stays when the other one changes' 981173106 "$(stat -c %Y hard)"
touch hard
is 'the present' 1 $(($(date +%s) - $(stat -c %Y hard) < 86400 * 36500))

fails FIFO mkfifo fifo
fails device mknod device c 1 3
fails 'folder that is not empty' sh -c 'mkdir full; touch full/x; rmdir full'
fails 'folder into itself' mv full full/inside
fails 'file as a folder' cat hard/x

mkdir many
(cd many && seq 2000 | xargs touch)
is '2000 names' 2000 "$(ls many | sort -u | wc -l)"
rm -r many
fails 'all removed' test -e many

mkdir -p tree/a/b/c
cp /bin/busybox tree/a/b/program
echo text >'tree/a/a name with spaces and ümläute'
ln -s ../program tree/a/b/c/link
chmod 500 tree/a/b/program
touch -d '1999-01-01 00:00:00' tree/a/b/program tree/a/b
cp -a tree copy
is 'cp -a' same "$(diff -r tree copy && echo same)"
is 'with times and modes' "$(cd tree && find . ! -type l -exec stat -c '%n %a %Y %F' {} + | sort)" "$(cd copy && find . ! -type l -exec stat -c '%n %a %Y %F' {} + | sort)"
mkdir out
tar -c tree | tar -x -C out
is tar same "$(diff -r tree out/tree && echo same)"
is 'with times' 915148800 "$(stat -c %Y out/tree/a/b/program)"
mv tree/a moved
is 'moved with all that is in it' "$(sha256sum <copy/a/b/program)" "$(sha256sum <moved/b/program)"
is 'find' 3 "$(find moved -type d | wc -l)"
is 'file system' 1 "$(grep -c " $(df . | tail -n 1 | sed 's/.* //') 9p " /proc/mounts)"
cd /
rm -r "$1"/*
is 'everything removed' 0 "$(ls -A "$1" | wc -l)"
echo done

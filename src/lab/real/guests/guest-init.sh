#!/bin/busybox sh
# A guest's whole system: its network, a web page that says which boot this is, and a writer that never forgets a number.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1 </dev/null
for module in $(cat /modules/order); do insmod "/modules/$module"; done
for word in $(cat /proc/cmdline); do
  case $word in address=*) address=${word#address=} ;; esac
done
ip link set lo up
ip link set eth0 up
ip addr add "$address/24" dev eth0

echo 0 >/run/written
echo 0 >/run/failed
mkdir -p /www/cgi-bin
cat >/www/cgi-bin/boot <<'PAGE'
#!/bin/sh
read -r boot </proc/sys/kernel/random/boot_id
read -r up rest </proc/uptime
read -r failed </run/failed
# The writer may be just writing it.
until read -r written </run/written && [ -n "$written" ]; do :; done
printf 'Content-Type: application/json\r\n\r\n{"bootId":"%s","uptimeS":%s,"written":%s,"failed":%s}\n' \
  "$boot" "$up" "$written" "$failed"
PAGE
chmod +x /www/cgi-bin/boot
httpd -p 80 -h /www
echo GUEST-UP

# Twice a second, or TCG would be busy with it. One number after the other, each in its own 16 bytes and on the disk before the next: a lost write leaves a hole.
number=0
failed=0
while :; do
  number=$((number + 1))
  if printf '%015d\n' "$number" | dd of=/dev/vda bs=16 seek="$number" conv=fsync,notrunc 2>/dev/null; then
    echo "$number" >/run/written
  else
    failed=$((failed + 1))
    echo "$failed" >/run/failed
    echo "DISK-ERROR $number"
    number=$((number - 1))
  fi
  sleep 0.5
done

import os, stat, sys
dirs = sum(1 for _ in os.walk('/'))
print(sys.version.split()[0], dirs > 10, os.path.isdir('/bin'))
os.mkdir('/tmp/d')
os.chdir('/tmp/d')
with open('a', 'w') as f:
    f.write('hello\n' * 1000)
os.rename('a', 'b')
print(len(open('/tmp/d/b').read()), os.listdir('.'), os.path.exists('a'))
s = os.stat('b')
print(s.st_size, stat.S_ISREG(s.st_mode), s.st_nlink, s.st_mtime > 1e9)
os.symlink('b', 'l'); os.link('b', 'h')
print(os.readlink('l'), os.lstat('l').st_size, os.stat('h').st_nlink, os.stat('h').st_ino == s.st_ino)
with open('b', 'r+b') as f:
    f.seek(10_000); f.write(b'x'); f.truncate(20_000)
print(os.stat('b').st_size, open('b', 'rb').read()[6000:6003])
try:
    open('/tmp/none')
except FileNotFoundError as e:
    print(e.strerror)
try:
    os.rmdir('/tmp/d')
except OSError as e:
    print(e.strerror)
for n in os.listdir('.'): os.unlink(n)
os.chdir('/'); os.rmdir('/tmp/d')
print(sum(range(10**6)), len(os.urandom(16)), sorted(os.environ)[:0])

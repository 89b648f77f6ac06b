puts RUBY_VERSION[0, 3], (1..10).map { |x| x * x }.sum
File.write("/tmp/r", "line\n" * 3)
puts File.readlines("/tmp/r").size, File.stat("/tmp/r").size, Dir.children("/tmp").inspect
begin; File.read("/none"); rescue Errno::ENOENT => e; puts e.class; end
puts "abc".gsub(/b/) { |m| m.upcase }, [3, 1, 2].sort.inspect

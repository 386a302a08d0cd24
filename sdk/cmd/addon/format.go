package main

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// wrongFormat says why a file is no program for the platform, or nothing; the
// note says what else its author should know.
func wrongFormat(file, platform string) (what, note string) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("There is no file %s; build it first.", file), ""
	}
	if err != nil {
		return err.Error(), ""
	}
	defer func() { _ = f.Close() }() // it was only read
	system, arch, _ := strings.Cut(platform, "/")
	is, err := platformOf(f)
	switch {
	case err != nil:
		return fmt.Sprintf("It is no program for %s: %v. Build it with GOOS=%s GOARCH=%s go build.", platform, err, system, arch), ""
	case is.system != system && !(is.system == "linux" && system == "freebsd"), is.arch != arch:
		return fmt.Sprintf("It is a program for %s/%s, not for %s. Build it with GOOS=%s GOARCH=%s go build.",
			is.system, is.arch, platform, system, arch), ""
	case is.loader != "":
		return "", fmt.Sprintf("%s: the program needs %s of the machine it runs on; built with CGO_ENABLED=0 it needs nothing.", platform, is.loader)
	}
	return "", ""
}

// target is what a program was built for.
type target struct{ system, arch, loader string }

// platformOf reads what a program was built for. The error says what it is
// instead.
func platformOf(f *os.File) (target, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if n == 0 {
		return target{}, errors.New("the file is empty")
	}
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return target{}, errors.New("it is a script, and platforms start only programs")
	case err != nil:
		return target{}, errors.New("it is too short")
	case string(head) == elf.ELFMAG:
		return elfTarget(f)
	case bytes.HasPrefix(head, []byte("MZ")):
		return peTarget(f)
	}
	if program, err := macho.NewFile(f); err == nil {
		arch, ok := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64", macho.Cpu386: "386"}[program.Cpu]
		if !ok {
			arch = strings.ToLower(program.Cpu.String())
		}
		return target{system: "darwin", arch: arch}, nil
	}
	return target{}, errors.New("it is not in a format that any system runs")
}

func elfTarget(f *os.File) (target, error) {
	program, err := elf.NewFile(f)
	if err != nil {
		return target{}, errors.New("it begins like a program and is damaged")
	}
	if program.Type != elf.ET_EXEC && program.Type != elf.ET_DYN {
		return target{}, errors.New("it is a part of a program (package main is missing?)")
	}
	t := target{system: "linux", arch: elfArch(program.FileHeader)}
	if program.OSABI == elf.ELFOSABI_FREEBSD {
		t.system = "freebsd"
	}
	for _, p := range program.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		name, err := io.ReadAll(p.Open())
		if err != nil {
			return target{}, errors.New("it begins like a program and is damaged")
		}
		t.loader = string(bytes.TrimRight(name, "\x00"))
	}
	return t, nil
}

func elfArch(h elf.FileHeader) string {
	switch h.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_PPC64:
		if h.ByteOrder.String() == "LittleEndian" {
			return "ppc64le"
		}
		return "ppc64"
	}
	return h.Machine.String()
}

func peTarget(f *os.File) (target, error) {
	program, err := pe.NewFile(f)
	if err != nil {
		return target{}, errors.New("it begins like a program for windows and is damaged")
	}
	switch program.Machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		return target{system: "windows", arch: "amd64"}, nil
	case pe.IMAGE_FILE_MACHINE_ARM64:
		return target{system: "windows", arch: "arm64"}, nil
	case pe.IMAGE_FILE_MACHINE_I386:
		return target{system: "windows", arch: "386"}, nil
	}
	return target{}, fmt.Errorf("it is for machine %#x of windows", program.Machine)
}
